package webhook

import (
	"slices"
	"sync"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

const (
	// maxWaiting and maxWaitingBytes bound what waits for a commit or is being read; beyond them Meta is asked to come
	// again, which it does for days.
	maxWaiting      = 4096
	maxWaitingBytes = 64 << 20
	// Bodies with acts may go this far beyond: a flood of statuses must not keep an opt-out out.
	actsWaiting      = 512
	actsWaitingBytes = 8 << 20

	maxBatch      = 500
	maxBatchBytes = 8 << 20
)

// pending is one parsed body on its way into the store.
type pending struct {
	box  sender.Inbox
	size int64
	// stops says that the body may stop somebody, so that its 200 has to wait until the stop is in force.
	stops   bool
	verdict chan verdict // holds the one verdict, whether or not anybody still waits for it
}

// verdict says how the commit of a body ended.
type verdict struct {
	stored bool
	// inForce, when not nil, is closed as soon as nothing is in flight to those who were stopped; by is when that is
	// certain without asking.
	inForce <-chan struct{}
	by      time.Time
}

func newPending(box sender.Inbox, size int64) *pending {
	return &pending{box: box, size: size, stops: mayStop(box), verdict: make(chan verdict, 1)}
}

// mayStop reports whether storing the body can suppress somebody or hold marketing to them.
func mayStop(box sender.Inbox) bool {
	return slices.ContainsFunc(box.Acts, func(a policy.Act) bool { return a.Kind == policy.ActStop || a.Kind == policy.ActReview }) ||
		slices.ContainsFunc(box.Statuses, func(s sender.Status) bool { return s.Err != nil && s.Err.Reaction == sender.Suppress })
}

// queue is the bounded room in which bodies wait for the next commit; those with acts go first.
type queue struct {
	wake chan struct{} // holds one token while there may be something to take

	mu     sync.Mutex
	acts   []*pending
	rest   []*pending
	bodies int   // waiting or being committed
	bytes  int64 // of those, and of the large bodies being read
	closed bool
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// reserve takes room for bytes that are about to be read.
func (q *queue) reserve(bytes int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.bytes+bytes > maxWaitingBytes {
		return false
	}
	q.bytes += bytes
	return true
}

// release gives room back that was reserved for a body that does not wait.
func (q *queue) release(bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= bytes
}

// put adds a body; more is the part of its size not yet reserved. It reports false when there is no room or nobody will
// take it any more, and takes no room then.
func (q *queue) put(p *pending, more int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	bodies, bytes := maxWaiting, int64(maxWaitingBytes)
	if len(p.box.Acts) > 0 {
		bodies, bytes = bodies+actsWaiting, bytes+actsWaitingBytes
	}
	if q.closed || q.bodies >= bodies || q.bytes+more > bytes {
		return false
	}
	q.bodies++
	q.bytes += more
	if len(p.box.Acts) > 0 {
		q.acts = append(q.acts, p)
	} else {
		q.rest = append(q.rest, p)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// next takes the bodies of the next commit: those with acts, then the others, each in the order of arrival.
func (q *queue) next() []*pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	var batch []*pending
	var bytes int64
	for _, line := range []*[]*pending{&q.acts, &q.rest} {
		for len(*line) > 0 && len(batch) < maxBatch && (bytes < maxBatchBytes) {
			p := (*line)[0]
			(*line)[0] = nil
			*line = (*line)[1:]
			batch = append(batch, p)
			bytes += p.size
		}
		if len(*line) == 0 {
			*line = nil
		}
	}
	return batch
}

// settle gives a body its verdict and its room back.
func (q *queue) settle(p *pending, v verdict) {
	q.mu.Lock()
	q.bodies--
	q.bytes -= p.size
	q.mu.Unlock()
	p.verdict <- v
}

// close refuses all further bodies; those that wait can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
