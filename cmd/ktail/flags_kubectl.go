package main

import (
	"errors"
	"strconv"

	"github.com/spf13/pflag"
)

// kubectlFlags are flags that users of kubectl type out of habit. Flags that
// request ktail's normal behavior are accepted; the others are rejected with a
// message that names ktail's equivalent. All are hidden.
type kubectlFlags struct {
	follow bool
}

func (f *kubectlFlags) addFlags(fs *pflag.FlagSet) {
	for _, flag := range []struct {
		name, shorthand string
		accepted        *bool  // nil: every value is rejected
		answer          string // message for false or, if accepted is nil, for any value
	}{
		{"follow", "f", &f.follow, "use --no-follow"},
		{"watch", "w", new(bool), "use --no-follow"},
		{"all-containers", "", new(bool), "select containers with --container"},
		{"all-pods", "", new(bool), "select a pod with a query such as po/web-1"},
		{"prefix", "", new(bool), "use --output raw for messages without pod and container"},
		{"ignore-errors", "", new(bool), "ktail always continues with the other logs"},
		{"limit-bytes", "", nil, "use --tail, or pipe the output to head -c"},
		{"pod-running-timeout", "", nil, "ktail waits for pods until it is interrupted"},
		{"insecure-skip-tls-verify-backend", "", nil, "use kubectl logs for a kubelet without a valid certificate"},
		{"no-color", "", nil, "use --color never"},
		{"grep", "", nil, "use --include"},
	} {
		fs.VarP(&kubectlValue{flag.accepted, flag.answer}, flag.name, flag.shorthand, "Accepted or explained for users of kubectl")
		declared := fs.Lookup(flag.name)
		declared.Hidden, declared.NoOptDefVal = true, "true"
		excludeSources([]string{environment, configFile}, fs, flag.name)
	}
}

// kubectlValue is the value of one of kubectlFlags.
type kubectlValue struct {
	set    *bool
	answer string
}

// String implements pflag.Value.
func (v *kubectlValue) String() string { return strconv.FormatBool(v.set != nil && *v.set) }

// Set implements pflag.Value.
func (v *kubectlValue) Set(s string) error {
	if v.set == nil {
		return unsupportedError(v.answer)
	}
	on, err := strconv.ParseBool(s)
	switch {
	case err != nil:
		return errors.New("must be true or false")
	case !on:
		return errors.New(v.answer)
	}
	*v.set = true
	return nil
}

// Type implements pflag.Value.
func (*kubectlValue) Type() string { return "bool" }

// unsupportedError names the alternative to a flag that ktail does not have.
type unsupportedError string

// Error implements error.
func (e unsupportedError) Error() string { return string(e) }
