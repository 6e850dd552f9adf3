//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var pageAddress = regexp.MustCompile(`(?m)^ktail: page: (http://\S+)/#k=(\S+)$`)

// cmdPage waits until the latest lines on the page of a child match.
func cmdPage(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "page NAME REGEXP [PARAMETER=VALUE...]")
	c := childOf(ts, args[0])
	c.await(ts, &c.Stderr, pageAddress.String())
	place := pageAddress.FindStringSubmatch(c.Stderr.String())
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	ctx, cancel := patiently()
	defer cancel()
	for {
		got, err := pageLines(ctx, place[1], place[2], args[2:])
		if err == nil && re.MatchString(got) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			ts.Fatalf("the page has %s (%v); stderr is\n%s", got, err, &c.Stderr)
		}
	}
}

// pageLines returns the answer to a poll.
func pageLines(ctx context.Context, address, token string, params []string) (string, error) {
	query := url.Values{"rows": {"100"}, "wait": {"1"}}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		query.Add(name, value)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/api/live?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // it is only read from
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		return string(body), fmt.Errorf("status %s", response.Status)
	}
	return string(body), err
}
