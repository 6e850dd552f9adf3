package podlog

import "testing"

// A line of a program that begins like an error is not a message of the kubelet.
func TestIsKubeletText_KnowsOnlyTheKubeletsTexts(t *testing.T) {
	for text, want := range map[string]bool{
		"unable to retrieve container logs for containerd://0":                           true,
		"rpc error: code = NotFound desc = no such container":                            true,
		`failed to open log file "/var/log/pods/x/app/0.log": no such file or directory`: true,
		`failed to read log file "/var/log/pods/x/app/0.log": input/output error`:        true,
		`failed to watch directory "/var/log/pods/x/app": no space left on device`:       true,
		"failed to connect to the database":                                              false,
		"container started":                                                              false,
		"rpc errors are counted":                                                         false,
		"":                                                                               false,
	} {
		if got := isKubeletText([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
