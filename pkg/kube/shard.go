package kube

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Shard is one of several processes that share the nodes of a cluster. The zero
// value owns all nodes.
type Shard struct {
	Index int // from 0
	Count int
}

// ParseShard parses INDEX/COUNT, such as 0/3.
func ParseShard(s string) (Shard, error) {
	index, count, ok := strings.Cut(s, "/")
	i, err := strconv.ParseUint(index, 10, 16)
	n, countErr := strconv.ParseUint(count, 10, 16)
	if !ok || errors.Join(err, countErr) != nil || n == 0 || i >= n {
		return Shard{}, errors.New("must be INDEX/COUNT, such as 0/3, with an index from 0 to COUNT-1")
	}
	return Shard{Index: int(i), Count: int(n)}, nil
}

// String returns INDEX/COUNT, or "" for the zero value.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

// Owns reports whether the node belongs to the shard. Each node belongs to the shard
// with the highest hash of the node and the index (rendezvous hashing): if the count
// changes by one, only the nodes of the added or removed shard change their owner.
func (s Shard) Owns(node string) bool {
	if s.Count <= 1 {
		return true
	}
	mine := shardWeight(node, s.Index)
	for i := range s.Count {
		if w := shardWeight(node, i); w > mine || w == mine && i < s.Index {
			return false
		}
	}
	return true
}

// shardWeight returns a hash of the node and the index. It must never change: shards of
// two versions of ktail run together during an upgrade.
func shardWeight(node string, index int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(node)) // never fails
	x := h.Sum64() + uint64(index)*0x9e3779b97f4a7c15
	// The finalizer of SplitMix64 spreads similar names and indices over all bits.
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
