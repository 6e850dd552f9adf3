package kube

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/pkg/ktail"
)

func TestOwnerOf_NamesTheWorkload(t *testing.T) {
	yes := true
	by := func(kind, name string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{Kind: "Other", Name: "bystander"}, {Kind: kind, Name: name, Controller: &yes}}
	}
	hash := map[string]string{"pod-template-hash": "6d4cf56db6"}
	tests := []struct {
		name string
		meta metav1.ObjectMeta
		want ktail.Owner
	}{
		{"no owner", metav1.ObjectMeta{}, ktail.Owner{}},
		{"an owner that is not a controller", metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "ConfigMap", Name: "c"}}}, ktail.Owner{Kind: "ConfigMap", Name: "c"}},
		{"Deployment", metav1.ObjectMeta{Labels: hash, OwnerReferences: by("ReplicaSet", "web-6d4cf56db6")}, ktail.Owner{Kind: "Deployment", Name: "web"}},
		{"ReplicaSet", metav1.ObjectMeta{Labels: hash, OwnerReferences: by("ReplicaSet", "web")}, ktail.Owner{Kind: "ReplicaSet", Name: "web"}},
		{"Job", metav1.ObjectMeta{OwnerReferences: by("Job", "backup-29000000")}, ktail.Owner{Kind: "Job", Name: "backup-29000000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ownerOf(&tt.meta); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
