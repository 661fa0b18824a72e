package attack_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestConsistentHashing runs the lines of docs/scaling.md: both peers of a session reach the same node, whatever way each names its
// key, and different sessions reach different nodes.
func TestConsistentHashing(t *testing.T) {
	need(t, "nginx", "haproxy")
	page, err := os.ReadFile("../../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := func(language string) string {
		_, rest, ok := strings.Cut(string(page), "```"+language+"\n")
		if !ok {
			t.Fatalf("docs/scaling.md has no lines for %s", language)
		}
		block, _, _ := strings.Cut(rest, "```")
		return block
	}
	nodes := []*server{serve(t), serve(t), serve(t)}
	placed := func(block string) string {
		n := -1
		return regexp.MustCompile(`10\.0\.0\.\d:8080`).ReplaceAllStringFunc(block, func(string) string {
			n++
			return nodes[n%len(nodes)].addr
		})
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "hash.conf")
	config := "daemon off;\npid {{folder}}/nginx.pid;\nerror_log stderr warn;\nevents {}\nhttp {\naccess_log off;\n" +
		"client_body_temp_path {{folder}}/body;\nproxy_temp_path {{folder}}/proxy;\nfastcgi_temp_path {{folder}}/fastcgi;\n" +
		"uwsgi_temp_path {{folder}}/uwsgi;\nscgi_temp_path {{folder}}/scgi;\n{{block}}\n" +
		"server { listen {{listen}}; location / { proxy_pass http://nodes; proxy_http_version 1.1; proxy_set_header Connection \"\"; } }\n}\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, addr := range map[string]string{
		"nginx":   nginxBy(t, file, "{{block}}", placed(lines("nginx"))),
		"HAProxy": haproxy(t, placed(lines("haproxy"))),
	} {
		for i := range 40 {
			key := fmt.Sprintf("%s-%d", name, i)
			header, query := "key: "+key+"\r\n", ""
			if i%2 == 0 {
				header, query = "", "?key="+key
			}
			if got, err := dial(t, addr).ask("POST", "/offer/messages"+query, header, `{"sdp":"o"}`); err != nil || !strings.Contains(got, `"msg":""`) {
				t.Fatalf("%s: opening: got %s %v", name, got, err)
			}
			for _, way := range [][2]string{{"key: " + key + "\r\n", ""}, {"", "?key=" + key}} {
				if got, err := dial(t, addr).ask("GET", "/answer/messages"+way[1], way[0], ""); err != nil || !strings.Contains(got, `"data":"o"`) {
					t.Errorf("%s, key by %q: got %s %v, want the offer", name, way, got, err)
				}
			}
		}
		for i, node := range nodes {
			a, found := dial(t, node.addr), 0
			for n := range 40 {
				got, err := a.ask("GET", fmt.Sprintf("/answer/sdp?key=%s-%d", name, n), "", "")
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(got, `"data":"o"`) {
					found++
				}
			}
			if found == 0 || found == 40 {
				t.Errorf("%s: node %d has %d of 40 sessions, want a part of them", name, i, found)
			}
		}
	}
}

// haproxy starts one with these lines and returns its address.
func haproxy(t *testing.T, lines string) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	text := "defaults\n\tmode http\n\ttimeout connect 1s\n\ttimeout client 40s\n\ttimeout server 40s\n" +
		strings.Replace(lines, "bind :80", "bind "+addr, 1)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("haproxy", "-db", "-q", "-f", config)
	var said output
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	eventually(t, "HAProxy listens: "+said.String(), func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return addr
}
