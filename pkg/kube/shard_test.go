package kube

import (
	"fmt"
	"testing"
)

func TestShard_EachNodeHasOneOwner(t *testing.T) {
	const nodes = 1000
	for count := 1; count <= 7; count++ {
		owned := make([]int, count)
		for n := range nodes {
			owners := 0
			for i := range count {
				if (Shard{Index: i, Count: count}).Owns(fmt.Sprintf("node-%d", n)) {
					owners++
					owned[i]++
				}
			}
			if owners != 1 {
				t.Fatalf("node-%d has %d owners of %d shards", n, owners, count)
			}
		}
		for i, n := range owned {
			if fair := nodes / count; n < fair*3/4 || n > fair*5/4 {
				t.Errorf("shard %d/%d has %d of %d nodes", i, count, n, nodes)
			}
		}
	}
}

func TestShard_OnlyNodesOfTheNewShardMove(t *testing.T) {
	for n := range 1000 {
		node := fmt.Sprintf("ip-10-0-%d-%d.ec2.internal", n/256, n%256)
		for i := range 4 {
			before, after := Shard{i, 4}.Owns(node), Shard{i, 5}.Owns(node)
			if after && !before || before && !after && !(Shard{4, 5}).Owns(node) {
				t.Errorf("%s moved between shards that exist in both layouts", node)
			}
		}
	}
}

// Shards of different versions run together during an upgrade.
func TestShard_OwnersNeverChange(t *testing.T) {
	owners := ""
	for n := range 12 {
		for i := range 3 {
			if (Shard{i, 3}).Owns(fmt.Sprintf("node-%d", n)) {
				owners += fmt.Sprint(i)
			}
		}
	}
	if want := "210010220011"; owners != want {
		t.Errorf("the owners are %s, want %s", owners, want)
	}
}

func TestParseShard_AcceptsIndexBelowCount(t *testing.T) {
	for s, want := range map[string]Shard{"0/1": {0, 1}, "2/3": {2, 3}} {
		if got, err := ParseShard(s); err != nil || got != want || got.String() != s {
			t.Errorf("ParseShard(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "1", "/", "3/3", "-1/3", "0/0", "a/b", "1/2/3", "0/70000"} {
		if got, err := ParseShard(s); err == nil {
			t.Errorf("ParseShard(%q) = %v, want an error", s, got)
		}
	}
}
