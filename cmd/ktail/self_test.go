package main

import "testing"

func TestFindOwnContainer_ReadsMountOfTerminationLog(t *testing.T) {
	const uid = "0b4ba0c8-8b54-4b7c-9d4a-1f2e3d4c5b6a"
	tests := []struct {
		name, mounts string
		want         ownContainer
	}{
		{"containerd", "1 2 0:1 / / rw - overlay overlay rw\n" +
			"1204 1198 8:1 /var/lib/kubelet/pods/" + uid + "/containers/ktail/5b1f9c3a /dev/termination-log rw,relatime - ext4 /dev/sda1 rw\n", ownContainer{uid, "ktail"}},
		{"the kubelet's directory is a separate file system",
			"1204 1198 8:1 /pods/" + uid + "/containers/log-sidecar/5b1f9c3a /dev/termination-log rw - xfs /dev/sdb rw\n", ownContainer{uid, "log-sidecar"}},
		{"another mount", "1 2 8:1 /var/lib/kubelet/pods/" + uid + "/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n", ownContainer{}},
		{"laptop", "1 2 8:1 / / rw - ext4 /dev/sda1 rw\n", ownContainer{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := findOwnContainer([]byte(tt.mounts)); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
