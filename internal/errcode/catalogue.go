package errcode

import "slices"

// All returns every code of the program's own, area by area, in the order of docs/ERRORS.md. What Meta's codes mean is
// known to internal/graph.
func All() []Entry {
	return slices.Concat(usage(), phones(), configurationFile(), configuration(), database(), files(), missingTemplates(), running(), meta(), rows(), reasons())
}

// Find returns what there is to say about a code, and whether there is such a code.
func Find(code Code) (Entry, bool) {
	all := All()
	i := slices.IndexFunc(all, func(e Entry) bool { return e.Code == code })
	if i < 0 {
		return Entry{}, false
	}
	return all[i], true
}

// in puts entries into their area, and gives those that name no exit code of their own the area's.
func in(area Area, exit int, entries []Entry) []Entry {
	for i := range entries {
		entries[i].Area = area
		if entries[i].Exit == 0 {
			entries[i].Exit = exit
		}
	}
	return entries
}
