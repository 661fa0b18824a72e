package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/alecthomas/units"
)

const (
	// fetchPatience bounds a fetch: the start of the server waits for the first one.
	fetchPatience = 10 * time.Second
	// maxKeySet bounds a key set, in bytes: there is room for hundreds of keys.
	maxKeySet = 256 << 10
)

// fetchFrom returns a source that fetches the JWK Set at this URL, for which fetchable is true. It does not follow redirects: the
// operator alone says where keys come from. It uses the proxy that HTTPS_PROXY names, as every Go program does.
func fetchFrom(from string) source {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // the next time is minutes away
	transport.MaxResponseHeaderBytes = 64 << 10
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
		if err != nil {
			return nil, bare(err)
		}
		request.Header.Set("Accept", "application/jwk-set+json, application/json") // RFC 7517, Section 8.5.2
		response, err := client.Do(request)
		if err != nil {
			return nil, bare(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("got status %d, want 200", response.StatusCode)
		}
		text, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1)) // after decompression
		if err != nil {
			return nil, err
		}
		if len(text) > maxKeySet {
			return nil, fmt.Errorf("what it serves has more than %v", units.Base2Bytes(maxKeySet))
		}
		return text, nil
	}
}

// bare returns err without the URL, whose query may be somebody's secret.
func bare(err error) error {
	if urlError, ok := errors.AsType[*url.Error](err); ok {
		return urlError.Err
	}
	return err
}
