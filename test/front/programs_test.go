package front

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"signal-server/test/need"
	"signal-server/test/port"
)

// host is the name that the files of deploy/ serve.
const host = "signal.example.com"

// proxy is one that runs, by its file of deploy/.
type proxy struct {
	tls, plain string // addresses
	wrote      func() string
}

// programs start each proxy in front of servers. With byKey each key has its own server.
var programs = map[string]func(t *testing.T, byKey bool, servers ...string) proxy{
	"nginx": nginx, "HAProxy": haproxy, "Caddy": caddy,
}

// each runs a test with each proxy.
func each(t *testing.T, test func(t *testing.T, start func(t *testing.T, byKey bool, servers ...string) proxy)) {
	for name, start := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

func nginx(t *testing.T, byKey bool, servers ...string) proxy {
	p, folder := proxy{tls: port.Hold(t), plain: port.Hold(t)}, t.TempDir()
	site := regexp.MustCompile(`(?m)^\s*listen \[::\]:.*\n`).ReplaceAllString(read(t, "deploy/nginx/signal-server.conf"), "") // there may be no IPv6
	log, errors := filepath.Join(folder, "access.log"), filepath.Join(folder, "error.log")
	site = replace(t, perServer(t, site, servers),
		"listen 443 ", "listen "+p.tls+" ", "listen 80;", "listen "+p.plain+";",
		"/etc/letsencrypt/live/"+host+"/fullchain.pem", write(t, folder, "cert.pem", certificate(t)),
		"/etc/letsencrypt/live/"+host+"/privkey.pem", write(t, folder, "key.pem", privateKey(t)),
		"/var/log/nginx/signal-server.log", log, "/var/log/nginx/error.log", errors)
	if byKey {
		site = replace(t, site, "proxy_pass http://signal_server;", "proxy_pass http://signal_server_by_key;")
	}
	write(t, folder, "snippets/signal-server-proxy.conf", read(t, "deploy/nginx/proxy.conf"))
	frame, _, _ := strings.Cut(read(t, "test/browser/nginx.conf"), "\tupstream ")
	config := replace(t, frame, "{{folder}}", folder) + site + "}\n"
	out := startNginx(t, folder, config, p.tls)
	p.wrote = func() string { return out.String() + readFile(t, log) + readFile(t, errors) }
	return p
}

func haproxy(t *testing.T, byKey bool, servers ...string) proxy {
	need.Programs(t, "haproxy")
	p, folder := proxy{tls: port.Hold(t), plain: port.Hold(t)}, t.TempDir()
	config := perServer(t, read(t, "deploy/haproxy/haproxy.cfg"), servers)
	config = replace(t, config,
		"bind :443 ", "bind "+p.tls+" ", "bind :80\n", "bind "+p.plain+"\n",
		"/etc/haproxy/"+host+".pem", write(t, folder, "both.pem", certificate(t)+privateKey(t)),
		"log /dev/log local0", "log stderr format raw local0", "maxconn 100000 ", "maxconn 2000 ", // there may be few descriptors here
		"\tchroot /var/lib/haproxy\n", "", "\tuser haproxy\n", "", "\tgroup haproxy\n", "") // it runs here as the tests' user
	if byKey {
		config = replace(t, config, "default_backend nodes ", "default_backend nodes_by_key ")
	}
	out := start(t, p.tls, syscall.SIGUSR1, exec.Command("haproxy", "-db", "-f", write(t, folder, "haproxy.cfg", config)))
	p.wrote = out.String
	return p
}

func caddy(t *testing.T, byKey bool, servers ...string) proxy {
	need.Programs(t, "caddy")
	p, folder := proxy{tls: port.Hold(t), plain: port.Hold(t)}, t.TempDir()
	config := perServer(t, read(t, "deploy/caddy/Caddyfile"), servers)
	config = replace(t, config,
		"# tls /etc/caddy/fullchain.pem /etc/caddy/privkey.pem",
		"tls "+write(t, folder, "cert.pem", certificate(t))+" "+write(t, folder, "key.pem", privateKey(t)),
		"\tlog {\n", fmt.Sprintf("\tadmin off\n\tdefault_bind 127.0.0.1\n\thttps_port %s\n\thttp_port %s\n\tlog {\n", port.Of(p.tls), port.Of(p.plain)))
	if byKey {
		config = replace(t, config, "lb_policy round_robin", "lb_policy header key")
	}
	cmd := exec.Command("caddy", "run", "--adapter", "caddyfile", "--config", write(t, folder, "Caddyfile", config))
	cmd.Env = append(cmd.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	out := start(t, p.tls, syscall.SIGTERM, cmd)
	p.wrote = out.String
	return p
}

// perServer repeats each line that names a server for each of these, and numbers their names.
func perServer(t *testing.T, config string, servers []string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^.*127\.0\.0\.1:8080.*\n`)
	if !line.MatchString(config) {
		t.Fatal("the configuration names no server")
	}
	return line.ReplaceAllStringFunc(config, func(line string) (lines string) {
		for i, server := range servers {
			lines += strings.NewReplacer("127.0.0.1:8080", server, "node1", fmt.Sprint("node", i+1)).Replace(line)
		}
		return lines
	})
}

// authority is a self-signed certificate for names such as host, with its key.
var authority = func() tls.Certificate {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Certificates[0]
}()

func certificate(t *testing.T) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate[0]}))
}

func privateKey(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(authority.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
