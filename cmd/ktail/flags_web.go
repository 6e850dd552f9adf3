package main

import (
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/web"
)

// webFlags show the lines on a page.
type webFlags struct {
	web       webValue
	webBuffer sizeValue
}

func (f *webFlags) addFlags(fs *pflag.FlagSet) {
	fs.VarP(&f.web, "web", "",
		"Show the lines on a web page. ktail prints its address to stderr; only this machine can open it. "+
			"The port is "+web.DefaultPort+"; --web=:8080 selects another one")
	fs.Lookup("web").NoOptDefVal = "true"
	f.webBuffer = 64 << 20
	fs.Var(&f.webBuffer, "web-buffer",
		"Maximum memory for the lines that the page can show, compressed. 64Mi holds about a million lines")
}

// minWebBuffer allows for several blocks with the longest lines.
const minWebBuffer = 4 << 20

// likeAddress matches arguments that were probably meant as the address of
// --web.
var likeAddress = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\d+\.\d+\.\d+\.\d+|localhost|\[[0-9a-f:]+\])?:\d+$`)
})

// validateWeb checks the flags for the page, and that --quiet has another
// destination for the lines.
func (o options) validateWeb(queries []string) error {
	f := &o.webFlags
	switch {
	case f.web.on:
	case o.elastic.quiet && !o.elastic.enabled() && !o.metrics.enabled():
		return errors.New("--quiet requires --elasticsearch, --web, or metrics (such as --metrics-listen): otherwise ktail would print nothing")
	default:
		return nil
	}
	if f.webBuffer < minWebBuffer {
		return fmt.Errorf("invalid --web-buffer %s: must be at least %dMi", &f.webBuffer, minWebBuffer>>20)
	}
	for _, query := range queries {
		if likeAddress().MatchString(query) {
			return fmt.Errorf("%s looks like an address: to show the page there, write --web=%s", query, query)
		}
	}
	return nil
}

// webValue is the flag that turns on the page, with or without an address.
type webValue struct {
	on      bool
	address string // empty: the default
}

// String implements pflag.Value.
func (v *webValue) String() string {
	switch {
	case !v.on:
		return ""
	case v.address == "":
		return "true"
	default:
		return v.address
	}
}

// Set implements pflag.Value.
func (v *webValue) Set(s string) error {
	switch s {
	case "", "false":
		*v = webValue{}
		return nil
	case "true":
		*v = webValue{on: true}
		return nil
	}
	if err := web.CheckAddress(s); err != nil {
		return err
	}
	*v = webValue{on: true, address: s}
	return nil
}

// Type implements pflag.Value.
func (*webValue) Type() string { return "ADDRESS" }
