package api

import (
	"crypto/rand"
	"crypto/sha256"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A key is its prefix, by which scanners for lost secrets can know it, and 32 random bytes as 43 digits of base 62.
const (
	keyPrefix = "pk_"
	keyDigits = 43
	base62    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewKey makes a key, and the SHA-256 that is all that is kept of it.
func NewKey() (key string, hash [32]byte) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // it never fails; it ends the program instead
	number, base, digit := new(big.Int).SetBytes(raw), big.NewInt(int64(len(base62))), new(big.Int)
	text := make([]byte, keyDigits)
	for i := range text {
		number.DivMod(number, base, digit)
		text[keyDigits-1-i] = base62[digit.Int64()]
	}
	key = keyPrefix + string(text)
	return key, sha256.Sum256([]byte(key))
}

// looksLikeKey spares the database what cannot be a key.
func looksLikeKey(text string) bool {
	digits, ok := strings.CutPrefix(text, keyPrefix)
	return ok && len(digits) == keyDigits && strings.Trim(digits, base62) == ""
}

// How often a key may ask, and how often an address may be wrong about its key. A process counts by itself.
const (
	requestsPerSecond = 50
	requestsAtOnce    = 100
	mistakesPerSecond = 1
	mistakesAtOnce    = 20
	// addressesKept bounds what a flood from many addresses costs; beyond it they share one count.
	addressesKept = 4096
)

// Limits count the requests of each key, and of each address those without a key that opens anything.
type Limits struct {
	mu       sync.Mutex
	keys     map[string]*rate.Limiter
	mistaken map[netip.Prefix]*rate.Limiter
	others   *rate.Limiter
	met      map[[32]byte]bool // keys that opened something here: they are looked up also from an address that is often wrong
}

// NewLimits has counted nothing.
func NewLimits() *Limits {
	return &Limits{
		keys: map[string]*rate.Limiter{}, mistaken: map[netip.Prefix]*rate.Limiter{}, met: map[[32]byte]bool{},
		others: rate.NewLimiter(mistakesPerSecond, mistakesAtOnce),
	}
}

// take counts a request of a key; wait is how long it is too early.
func (l *Limits) take(key string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.keys[key]
	if limiter == nil {
		limiter = rate.NewLimiter(requestsPerSecond, requestsAtOnce)
		l.keys[key] = limiter
	}
	return early(limiter, now)
}

func early(limiter *rate.Limiter, now time.Time) time.Duration {
	if limiter.AllowN(now, 1) {
		return 0
	}
	missing := 1 - limiter.TokensAt(now)
	return time.Duration(missing / float64(limiter.Limit()) * float64(time.Second))
}

// opened notes that a key opened something.
func (l *Limits) opened(hash [32]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.met[hash] = true
}

// closed notes that a key opens nothing any more.
func (l *Limits) closed(hash [32]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.met, hash)
}

// exhausted reports whether an address was wrong so often that only keys that opened something are still looked up.
func (l *Limits) exhausted(from netip.Prefix, hash [32]byte, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.met[hash] && l.ofAddress(from, now).TokensAt(now) < 1
}

// mistake counts a request without a key that opens anything; wait is how long the next one is too early.
func (l *Limits) mistake(from netip.Prefix, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return early(l.ofAddress(from, now), now)
}

func (l *Limits) ofAddress(from netip.Prefix, now time.Time) *rate.Limiter {
	if limiter := l.mistaken[from]; limiter != nil {
		return limiter
	}
	if len(l.mistaken) >= addressesKept {
		for address, limiter := range l.mistaken {
			if limiter.TokensAt(now) >= mistakesAtOnce {
				delete(l.mistaken, address)
			}
		}
		if len(l.mistaken) >= addressesKept {
			return l.others
		}
	}
	limiter := rate.NewLimiter(mistakesPerSecond, mistakesAtOnce)
	l.mistaken[from] = limiter
	return limiter
}

// network is whom an address is counted with: of IPv6 a household or a server has the whole /64.
func network(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	address = address.Unmap().WithZone("")
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// admit finds the key of a request and what it may do. It is asked of the database each time: a key that is revoked, wherever that
// was done, opens nothing from then on.
func (a *api) admit(c *call, route route) error {
	if c.Method != route.method && (route.method != http.MethodGet || c.Method != http.MethodHead) {
		c.w.Header().Set("Allow", route.method)
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "This path takes "+route.method+".")
	}
	scheme, secret, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(secret) == "" {
		return a.stranger(c, "key_missing", "Send the key in the header `Authorization: Bearer pk_…`; `permesso keys create` makes one.")
	}
	const wrong = "This is no key, or no longer one; `permesso keys list` shows which there are."
	c.secret = strings.TrimSpace(secret)
	if !looksLikeKey(c.secret) {
		return a.stranger(c, "key_wrong", wrong)
	}
	hash := sha256.Sum256([]byte(c.secret))
	if a.Limits.exhausted(network(c.RemoteAddr), hash, c.now) {
		return a.stranger(c, "key_wrong", wrong)
	}
	key, found, err := a.Keys.KeyOf(c.Context(), hash)
	if err != nil {
		return err
	}
	if !found || !key.Opens(c.now) {
		a.Limits.closed(hash)
		return a.stranger(c, "key_wrong", wrong)
	}
	c.key = key
	a.Limits.opened(hash)
	if wait := a.Limits.take(key.Name, c.now); wait > 0 {
		return tooMany(c, wait)
	}
	if !key.May(route.scope) {
		return refuse(http.StatusForbidden, "scope_missing", "The key has not the scope "+string(route.scope)+"; `permesso keys create NAME --scope "+string(route.scope)+"` makes one that has.")
	}
	if err := a.Keys.KeyUsed(c.Context(), key, c.now); err != nil {
		a.Logger.WarnContext(c.Context(), "the use of a key could not be noted", "key", key.Name, "error", err)
	}
	return nil
}

// stranger refuses who has no key, and says to wait who tries too often.
func (a *api) stranger(c *call, code, detail string) *problem {
	if wait := a.Limits.mistake(network(c.RemoteAddr), c.now); wait > 0 {
		return tooMany(c, wait)
	}
	c.w.Header().Set("WWW-Authenticate", `Bearer realm="permesso"`)
	return refuse(http.StatusUnauthorized, code, detail)
}

func tooMany(c *call, wait time.Duration) *problem {
	c.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	return refuse(http.StatusTooManyRequests, "too_many_requests", "These are too many requests. Wait as long as Retry-After says, in seconds, and send up to 1,000 items in one request.")
}
