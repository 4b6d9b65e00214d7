package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/sender"
)

// SummaryCSV writes summaries, a row for each run: a column for each state, then opt-outs, replies, rates and cost, then a column
// for each reason. The columns are the same for every run.
type SummaryCSV struct {
	w      *csv.Writer
	headed bool
}

// NewSummaryCSV returns a writer of summaries to w.
func NewSummaryCSV(w io.Writer) *SummaryCSV { return &SummaryCSV{w: csv.NewWriter(w)} }

// Write adds one run.
func (c *SummaryCSV) Write(s Summary) error {
	if err := c.head(); err != nil {
		return err
	}
	row := []string{cell(s.Run), cell(s.Campaign), s.FireAt.String(), s.StartedAt.String(), s.FinishedAt.String()}
	for _, state := range sender.States() {
		row = append(row, strconv.Itoa(s.States[state]))
	}
	row = append(row, strconv.Itoa(s.OptedOut), strconv.Itoa(s.Replied), decimals(s.Rate.Mean), strconv.Itoa(s.Rate.Max))
	cost, currency := "", ""
	if s.Cost != nil {
		cost, currency = s.Cost.Amount.String(), s.Cost.Currency
	}
	row = append(row, cost, currency)
	for _, reason := range Reasons() {
		row = append(row, strconv.Itoa(s.Reasons[reason]))
	}
	return wrapCSV(c.w.Write(row))
}

func (c *SummaryCSV) head() error {
	if c.headed {
		return nil
	}
	c.headed = true
	row := []string{"run", "campaign", "fire_at", "started_at", "finished_at"}
	for _, state := range sender.States() {
		row = append(row, string(state))
	}
	row = append(row, "opted_out", "replied", "rate_mean", "rate_max", "cost", "currency")
	for _, reason := range Reasons() {
		row = append(row, "reason_"+string(reason))
	}
	return wrapCSV(c.w.Write(row))
}

// Flush writes what is buffered, and the header when there was no row.
func (c *SummaryCSV) Flush() error {
	if err := c.head(); err != nil {
		return err
	}
	c.w.Flush()
	return wrapCSV(c.w.Error())
}

// LineCSV writes lines of the log as they come, with the names of the JSON fields as its header.
type LineCSV struct {
	w      *csv.Writer
	headed bool
}

// NewLineCSV returns a writer of lines to w.
func NewLineCSV(w io.Writer) *LineCSV { return &LineCSV{w: csv.NewWriter(w)} }

// Write adds one line.
func (c *LineCSV) Write(l Line) error {
	if err := c.head(); err != nil {
		return err
	}
	code, title, details, billable, category, model := "", "", "", "", "", ""
	if l.Error != nil {
		code, title, details = strconv.Itoa(l.Error.Code), l.Error.Title, l.Error.Details
	}
	if l.Pricing != nil {
		category, model = l.Pricing.Category, l.Pricing.Model
		if l.Pricing.Billable != nil {
			billable = strconv.FormatBool(*l.Pricing.Billable)
		}
	}
	row := []string{
		l.Run, l.Campaign, l.Phone, l.UserID, l.Template, l.Language, l.Category, string(l.State), string(l.Reason), code, title, details,
		strconv.Itoa(l.Attempts), l.WAMID, strconv.FormatBool(l.Test), l.DueAt.String(), l.QueuedAt.String(), l.SendingAt.String(), l.AcceptedAt.String(),
		l.SentAt.String(), l.DeliveredAt.String(), l.ReadAt.String(), l.FailedAt.String(), l.RepliedAt.String(), billable, category, model,
	}
	for i := range row {
		row[i] = cell(row[i])
	}
	return wrapCSV(c.w.Write(row))
}

func (c *LineCSV) head() error {
	if c.headed {
		return nil
	}
	c.headed = true
	return wrapCSV(c.w.Write([]string{
		"run", "campaign", "phone", "user_id", "template", "language", "category", "state", "reason", "error_code", "error_title", "error_details",
		"attempts", "wamid", "test", "due_at", "queued_at", "sending_at", "accepted_at",
		"sent_at", "delivered_at", "read_at", "failed_at", "replied_at", "pricing_billable", "pricing_category", "pricing_model",
	}))
}

// Flush writes what is buffered, and the header when there was no line.
func (c *LineCSV) Flush() error {
	if err := c.head(); err != nil {
		return err
	}
	c.w.Flush()
	return wrapCSV(c.w.Error())
}

func wrapCSV(err error) error {
	if err != nil {
		return errcode.With(fmt.Errorf("writing CSV: %w", err), errcode.OutputFailed)
	}
	return nil
}

// cell keeps a spreadsheet from running a text as a formula, or from rounding a phone number: what begins with = + - @, in
// ASCII or full-width, or with a character that is skipped before one, gets an apostrophe in front. A text that looks as
// if it had one already gets another, so that taking one off always gives back what was there.
func cell(text string) string {
	start := strings.TrimLeft(text, "'")
	for _, begin := range []string{"=", "+", "-", "@", "\t", "\r", "\x00", "\uff1d", "\uff0b", "\uff0d", "\uff20"} {
		if strings.HasPrefix(start, begin) {
			return "'" + text
		}
	}
	return text
}
