package fakesearch

import (
	"encoding/json"
	"strings"
)

// filterPath reduces a response to the fields selected by the parameter filter_path. A
// * matches any name. Arrays do not count as a level. Empty objects are omitted.
func filterPath(response map[string]any, filter string) map[string]any {
	b, err := json.Marshal(response)
	if err != nil {
		panic("fakesearch: encode a response: " + err.Error()) // the values can be encoded
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		panic("fakesearch: read a response: " + err.Error())
	}
	var paths [][]string
	for path := range strings.SplitSeq(filter, ",") {
		paths = append(paths, strings.Split(path, "."))
	}
	if left, ok := prune(tree, paths).(map[string]any); ok {
		return left
	}
	return map[string]any{}
}

func prune(tree any, paths [][]string) any {
	for _, path := range paths {
		if len(path) == 0 {
			return tree
		}
	}
	switch node := tree.(type) {
	case map[string]any:
		left := map[string]any{}
		for name, value := range node {
			var deeper [][]string
			for _, path := range paths {
				if path[0] == name || path[0] == "*" {
					deeper = append(deeper, path[1:])
				}
			}
			if deeper == nil {
				continue
			}
			if v := prune(value, deeper); v != nil {
				left[name] = v
			}
		}
		if len(left) > 0 {
			return left
		}
	case []any:
		var left []any
		for _, value := range node {
			if v := prune(value, paths); v != nil {
				left = append(left, v)
			}
		}
		if left != nil {
			return left
		}
	}
	return nil
}
