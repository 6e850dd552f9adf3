package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/text"
)

// usageError is an error in the command line. printError then refers the user
// to the help.
type usageError struct{ error }

// Unwrap returns the error itself.
func (e usageError) Unwrap() error { return e.error }

// printError prints the error of a run, one line per joined error.
func printError(out io.Writer, program string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			printError(out, program, err)
		}
		return
	}
	fmt.Fprintf(out, "ktail: error: %s\n", sanitize(err.Error())) //nolint:errcheck // stderr is the last resort
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(out, "See '%s --help'.\n", program) //nolint:errcheck // as above
	}
}

// flagError describes an error of pflag in the terms of what the user typed.
func flagError(flags *pflag.FlagSet, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		err = unknownFlag(flags, unknown)
	} else if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		f := missing.GetFlag()
		err = fmt.Errorf("--%s requires a value: %s", f.Name, valueName(f))
	} else if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = invalidValue(invalid.GetFlag(), invalid.GetValue(), invalid.Unwrap())
	} else if syntax, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		err = fmt.Errorf("invalid flag %q", syntax.GetSpecifiedFlag())
	}
	return usageError{err}
}

// unknownFlag suggests flags with similar names.
func unknownFlag(flags *pflag.FlagSet, err *pflag.NotExistError) error {
	name, letters := err.GetSpecifiedName(), err.GetSpecifiedShortnames()
	if letters != "" {
		return fmt.Errorf("unknown flag -%s", name)
	}
	var names []string
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	suggestion := ""
	if near := text.Similar(name, names); len(near) > 0 {
		for i := range near {
			near[i] = "--" + near[i]
		}
		suggestion = "; did you mean " + join(near, "or") + "?"
	}
	return fmt.Errorf("unknown flag --%s%s", name, suggestion)
}

func invalidValue(f *pflag.Flag, value string, cause error) error {
	if unsupported, ok := errors.AsType[unsupportedError](cause); ok {
		return fmt.Errorf("--%s is not supported: %w", f.Name, unsupported)
	}
	return fmt.Errorf("invalid --%s %s: %w", f.Name, quoted(value), allowed(f, cause))
}

// allowed replaces an error of package strconv with one that describes the
// values that the flag accepts.
func allowed(f *pflag.Flag, err error) error {
	if f.Name == "tail" {
		return errors.New("must be a number of lines such as 100, or -1 for all")
	}
	switch f.Value.Type() {
	case "bool":
		if errors.Is(err, strconv.ErrSyntax) {
			return errors.New("must be true or false")
		}
	case "int", "int64":
		return errors.New("must be a whole number")
	case "float32":
		return errors.New("must be a number")
	}
	return err
}

var plainValue = regexp.MustCompile(`^[\w.,:;/=+@%-]+$`)

// quoted quotes a value unless it is a plain word.
func quoted(value string) string {
	if plainValue.MatchString(value) {
		return value
	}
	return strconv.Quote(value)
}
