// Package metrics owns the figures that a monitoring system scrapes; no label ever carries a phone or a name.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// Metrics counts what the sender and the webhook do. It satisfies sender.Observer.
type Metrics struct {
	registry *prometheus.Registry
	gated    *prometheus.CounterVec
	gateTime *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	wireTime *prometheus.HistogramVec
	webhooks *prometheus.CounterVec
	hookTime prometheus.Histogram
	config   prometheus.Gauge
	breakers *prometheus.GaugeVec

	noticesPending, repliesPending prometheus.Gauge
	noticesFailed, repliesFailed   prometheus.Counter

	quarantined, journal, orphans prometheus.Gauge
}

// New makes a registry of its own; nothing is global.
func New() *Metrics {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		gated: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "permesso_gate_decisions_total",
			Help: "Rows judged at the gate, by the state they went to and the reason."}, []string{"number", "state", "reason"}),
		gateTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "permesso_gate_seconds", Help: "Time of one gate transaction.", Buckets: buckets}, []string{"number"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "permesso_attempts_total",
			Help: "Posts to the Graph API, by what became of them and Meta's error code."}, []string{"number", "fate", "code"}),
		wireTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "permesso_attempt_seconds", Help: "Time of one post.", Buckets: buckets}, []string{"number"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "permesso_webhooks_total", Help: "Webhook bodies answered, by HTTP status."}, []string{"status"}),
		hookTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "permesso_webhook_seconds", Help: "Time from a webhook's arrival to its answer.", Buckets: buckets}),
	}
	m.config = prometheus.NewGauge(prometheus.GaugeOpts{Name: "permesso_config_valid",
		Help: "1 when the configuration in force is that of the files; 0 when they have mistakes, and the one before is in force."})
	m.config.Set(1)
	m.breakers = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "permesso_breaker_open",
		Help: "Breakers that hold sending back now, by kind; 0 is as it should be."}, []string{"kind"})
	m.Breakers(nil)
	m.noticesPending = prometheus.NewGauge(prometheus.GaugeOpts{Name: "permesso_notices_pending", Help: "Notices that wait to be delivered to notify.url."})
	m.noticesFailed = prometheus.NewCounter(prometheus.CounterOpts{Name: "permesso_notices_failed_total", Help: "Notices that this process gave up: nobody was told."})
	m.repliesPending = prometheus.NewGauge(prometheus.GaugeOpts{Name: "permesso_replies_pending", Help: "People's messages that wait to be delivered to replies.url."})
	m.repliesFailed = prometheus.NewCounter(prometheus.CounterOpts{Name: "permesso_replies_failed_total", Help: "People's messages that this process gave up: the business never read them."})
	m.quarantined = prometheus.NewGauge(prometheus.GaugeOpts{Name: "permesso_quarantined", Help: "1 while nothing is sent because the database may be an older copy, or another; else 0."})
	m.journal = prometheus.NewGauge(prometheus.GaugeOpts{Name: "permesso_journal_written", Help: "1 when the suppression journal has every stop that this process knows; 0 while it cannot be written."})
	m.journal.Set(1)
	m.orphans = prometheus.NewGauge(prometheus.GaugeOpts{Name: "permesso_orphan_messages", Help: "Messages of this installation that WhatsApp reported and that the database does not know."})
	m.registry.MustRegister(m.breakers, m.noticesPending, m.noticesFailed, m.repliesPending, m.repliesFailed, m.quarantined, m.journal, m.orphans, m.gated, m.gateTime, m.attempts, m.wireTime, m.webhooks, m.hookTime, m.config,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Gated counts one gate transaction.
func (m *Metrics) Gated(numberID string, answers []sender.GateAnswer, took time.Duration) {
	type outcome struct {
		state  sender.State
		reason policy.Reason
	}
	counts := map[outcome]int{}
	for _, a := range answers {
		counts[outcome{a.State, a.Decision.Reason}]++
	}
	for o, n := range counts {
		m.gated.WithLabelValues(numberID, string(o.state), string(o.reason)).Add(float64(n))
	}
	m.gateTime.WithLabelValues(numberID).Observe(took.Seconds())
}

// Attempted counts one post.
func (m *Metrics) Attempted(numberID string, result sender.Result, took time.Duration) {
	code := ""
	if result.Err != nil {
		code = strconv.Itoa(result.Err.Code)
	}
	m.attempts.WithLabelValues(numberID, result.Fate.String(), code).Inc()
	m.wireTime.WithLabelValues(numberID).Observe(took.Seconds())
}

// Quarantined says whether this process sends nothing for the sake of the database.
func (m *Metrics) Quarantined(quarantined bool) { set(m.quarantined, quarantined) }

// JournalKept says whether the suppression journal could be written.
func (m *Metrics) JournalKept(kept bool) { set(m.journal, kept) }

// Orphans says how many messages were reported that nobody here sent.
func (m *Metrics) Orphans(n int) { m.orphans.Set(float64(n)) }

func set(gauge prometheus.Gauge, yes bool) {
	if yes {
		gauge.Set(1)
	} else {
		gauge.Set(0)
	}
}

// Breakers says how many breakers of each kind are open.
func (m *Metrics) Breakers(open map[sender.BreakerKind]int) {
	for _, kind := range sender.BreakerKinds() {
		m.breakers.WithLabelValues(string(kind)).Set(float64(open[kind]))
	}
}

// ConfigValid says whether the configuration in force is that of the files.
func (m *Metrics) ConfigValid(valid bool) { set(m.config, valid) }

// Webhook counts one answer to a webhook.
func (m *Metrics) Webhook(status int, took time.Duration) {
	m.webhooks.WithLabelValues(strconv.Itoa(status)).Inc()
	m.hookTime.Observe(took.Seconds())
}

// NoticesPending says how many notices wait to be delivered.
func (m *Metrics) NoticesPending(n int) { m.noticesPending.Set(float64(n)) }

// NoticeFailed counts a notice that is given up.
func (m *Metrics) NoticeFailed() { m.noticesFailed.Inc() }

// Replies counts what people wrote on its way to the business, as NoticesPending and NoticeFailed count notices.
type Replies struct{ m *Metrics }

// Replies returns the counts of people's messages.
func (m *Metrics) Replies() Replies { return Replies{m} }

// NoticesPending says how many messages wait.
func (r Replies) NoticesPending(n int) { r.m.repliesPending.Set(float64(n)) }

// NoticeFailed counts a message that is given up.
func (r Replies) NoticeFailed() { r.m.repliesFailed.Inc() }
