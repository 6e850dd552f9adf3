package fakeapi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"time"
)

// maxLogFiles is how many files the kubelet keeps of an instance, including the one
// that the runtime writes to. It is the default of containerLogMaxFiles.
const maxLogFiles = 5

// rename rotates the log as a kubelet does: it renames the newest file, compresses
// the one before, and removes the oldest one. It must be called with the lock held.
func (i *instance) rename() {
	at := i.now().UTC()
	if n := len(i.rotated); n > 0 {
		last := i.rotated[n-1]
		last.gzip = true
		if before, err := time.Parse(rotatedFormat, last.rotated); err == nil && !at.Truncate(time.Second).After(before) {
			at = before.Add(time.Second)
		}
	}
	i.file.rotated = at.Format(rotatedFormat)
	i.rotated = append(i.rotated, i.file)
	if n := len(i.rotated) - (maxLogFiles - 1); n > 0 {
		i.rotated = i.rotated[n:]
	}
}

const rotatedFormat = "20060102-150405"

// Compressing makes the node list a compressed file, its temporary file, and the
// uncompressed file that the kubelet is about to remove, until the next rotation.
func (c *Container) Compressing(halfway bool) {
	if cur := c.current(); cur != nil {
		cur.mu.Lock()
		defer cur.mu.Unlock()
		cur.halfway = halfway
	}
}

// containerFiles returns the log files of the containers in the directory that the
// path names, by their paths below /var/log, as the kubelet of the node has them.
func (s *Server) containerFiles(node, path string) map[string][]byte {
	parts := strings.Split(path, "/")
	if len(parts) < 2 || parts[0] != "pods" {
		return nil
	}
	files := map[string][]byte{}
	s.mu.Lock()
	var pods []*Pod
	for _, p := range s.pods {
		pods = append(pods, p)
	}
	s.mu.Unlock()
	for _, p := range pods {
		p.addFiles(files, node, parts)
	}
	return files
}

// addFiles adds the files of the containers that the parts of a path name.
func (p *Pod) addFiles(files map[string][]byte, node string, parts []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dir := fmt.Sprintf("%s_%s_%s", p.object.Namespace, p.object.Name, p.object.UID)
	if p.object.Spec.NodeName != node || parts[1] != "" && parts[1] != dir {
		return
	}
	for _, c := range p.containers {
		if len(parts) > 2 && parts[2] != "" && parts[2] != c.name {
			continue
		}
		for _, i := range []*instance{c.prev, c.cur} {
			if i != nil {
				i.addFiles(files, "pods/"+dir+"/"+c.name+"/")
			}
		}
	}
}

func (i *instance) addFiles(files map[string][]byte, dir string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.deleted {
		return
	}
	live := fmt.Sprintf("%s%d.log", dir, i.restarts)
	files[live] = i.file.records()
	for _, f := range i.rotated {
		name, content := live+"."+f.rotated, f.records()
		if f.gzip && i.halfway {
			files[name] = content
			files[name+".tmp"] = compressed(content)[:10]
		}
		if f.gzip {
			name, content = name+".gz", compressed(content)
		}
		files[name] = content
	}
}

// records returns the entries of the file as the runtime writes them.
func (f *logFile) records() []byte {
	var b bytes.Buffer
	for _, e := range f.entries {
		stamp, tag := e.Stamp, "F"
		if stamp == "" {
			stamp = time.Unix(0, e.Time).UTC().Format(time.RFC3339Nano)
		}
		if e.Partial {
			tag = "P"
		}
		fmt.Fprintf(&b, "%s stdout %s %s\n", stamp, tag, e.Text)
	}
	return b.Bytes()
}

func compressed(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(content) // a buffer has no errors
	_ = w.Close()
	return b.Bytes()
}

// serveConfig answers as the kubelet does on /configz.
func (n *Node) serveConfig(w *response) {
	writeJSON(w, 200, map[string]any{"kubeletconfig": map[string]any{"containerLogMaxFiles": maxLogFiles}})
}
