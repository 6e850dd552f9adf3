package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd/api"
)

// userExtraValue is kubectl's flag --as-user-extra: extra attributes of the
// impersonated user, one KEY=VALUE per flag.
type userExtraValue struct{ user *api.AuthInfo }

// String implements pflag.Value.
func (v *userExtraValue) String() string {
	if v.user == nil {
		return "[]"
	}
	var all []string
	for key, values := range v.user.ImpersonateUserExtra {
		for _, value := range values {
			all = append(all, key+"="+value)
		}
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}

// Set implements pflag.Value. It adds an attribute.
func (v *userExtraValue) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" {
		return errors.New("must be KEY=VALUE")
	}
	if v.user.ImpersonateUserExtra == nil {
		v.user.ImpersonateUserExtra = map[string][]string{}
	}
	v.user.ImpersonateUserExtra[key] = append(v.user.ImpersonateUserExtra[key], value)
	return nil
}

// Type implements pflag.Value.
func (*userExtraValue) Type() string { return "KEY=VALUE" }
