package config

// BuiltKeys are the paths of all keys that are read, LaterKeys of those that are refused as not built yet.
func BuiltKeys() []string { return keyPaths(func(k key) bool { return k.later == "" }) }

// LaterKeys: see BuiltKeys.
func LaterKeys() []string { return keyPaths(func(k key) bool { return k.later != "" }) }

func keyPaths(which func(key) bool) []string {
	var paths []string
	for _, s := range sections() {
		for _, k := range s.keys {
			if which(k) {
				paths = append(paths, joinPath(s.path, k.name))
			}
		}
	}
	return paths
}
