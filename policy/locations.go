package policy

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// How many zones are kept: tzdata has some 600 names. Names come from imported contacts, so both maps are bounded.
const (
	maxLocations   = 1024
	maxUnloadables = 256
)

// Locations remembers time zones, because reading one from disk takes longer than all the rules together.
// Its methods are safe for concurrent use; nil loads each time.
type Locations struct {
	writing sync.Mutex
	known   atomic.Pointer[map[string]*time.Location] // replaced, never changed; nil marks a name that does not load
}

// NewLocations returns an empty memory of zones.
func NewLocations() *Locations {
	l := new(Locations)
	l.known.Store(&map[string]*time.Location{})
	return l
}

// Load returns the IANA zone of that name; ok is false when there is none. Neither "" nor "Local" is a zone:
// what time.LoadLocation makes of them says nothing of the person.
func (l *Locations) Load(name string) (location *time.Location, ok bool) {
	if l == nil {
		return load(name)
	}
	known := l.known.Load()
	if known != nil {
		if location, found := (*known)[name]; found {
			return location, location != nil
		}
	}
	location, ok = load(name)
	l.keep(name, location)
	return location, ok
}

func load(name string) (*time.Location, bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	location, err := time.LoadLocation(name)
	return location, err == nil
}

func (l *Locations) keep(name string, location *time.Location) {
	l.writing.Lock()
	defer l.writing.Unlock()
	known := l.known.Load()
	if known == nil {
		known = &map[string]*time.Location{}
	}
	unloadable := 0
	for _, kept := range *known {
		if kept == nil {
			unloadable++
		}
	}
	if len(*known)-unloadable >= maxLocations || (location == nil && unloadable >= maxUnloadables) {
		return
	}
	next := maps.Clone(*known)
	next[name] = location
	l.known.Store(&next)
}
