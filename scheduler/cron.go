package scheduler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// cronField is one of the five fields of a cron expression.
type cronField struct {
	name      string
	low, high int
	names     []string // names[i] is the value low+i
}

var cronFields = [5]cronField{
	{name: "minute", low: 0, high: 59},
	{name: "hour", low: 0, high: 23},
	{name: "day of month", low: 1, high: 31},
	{name: "month", low: 1, high: 12, names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{name: "weekday", low: 0, high: 6, names: weekdayNames},
}

var weekdayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

const weekdayField = 4

// cronNicknames are the descriptors whose slots are wall-clock times. @every is not one: it counts from the start of a process.
var cronNicknames = []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}

// everyValue is the bit by which robfig/cron marks a field that was written as a star (spec.go, starBit).
const everyValue = 1 << 63

// timetable is a parsed cron expression: which days, and which minutes of such a day.
type timetable struct {
	spec    *cron.SpecSchedule
	minutes []int // of the day, ascending
}

// parseCron reads a cron expression of five fields, or a nickname such as @daily. It is stricter than robfig/cron, which
// panics on "TZ=UTC", takes */99 for hourly, knows no 7 for Sunday and drops empty list items (reliability, cron pitfalls).
func parseCron(expression string) (timetable, error) {
	text := strings.TrimSpace(expression)
	if text == "" {
		return timetable{}, fmt.Errorf("the expression is empty; write five fields, as in \"0 18 * * FRI\"")
	}
	if err := refuseZonePrefix(text); err != nil {
		return timetable{}, err
	}
	if strings.HasPrefix(text, "@") {
		if err := checkNickname(text); err != nil {
			return timetable{}, err
		}
	} else {
		plain, err := plainCron(text)
		if err != nil {
			return timetable{}, err
		}
		text = plain
	}
	spec, err := parseStandard(text)
	if err != nil {
		return timetable{}, err
	}
	table := timetable{spec: spec, minutes: minutesOfDay(spec)}
	if !table.everFires() {
		return timetable{}, fmt.Errorf("%q names a date that no year has, so it would never fire; check day of month and month", expression)
	}
	return table, nil
}

func refuseZonePrefix(text string) error {
	for _, prefix := range []string{"CRON_TZ=", "TZ="} {
		if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
			continue
		}
		zone, rest, _ := strings.Cut(text[len(prefix):], " ")
		if rest = strings.TrimSpace(rest); zone == "" || rest == "" {
			return fmt.Errorf("%s does not belong in the expression; the time zone is a key of its own, as in timezone: Europe/Rome", prefix)
		}
		return fmt.Errorf("%s does not belong in the expression; write cron: %q and timezone: %s", prefix, rest, zone)
	}
	return nil
}

func checkNickname(text string) error {
	if slices.Contains(cronNicknames, text) {
		return nil
	}
	if strings.HasPrefix(text, "@every") {
		return fmt.Errorf("@every counts from the start of a process, not from the clock on the wall; write the times, as in \"0 */2 * * *\"")
	}
	return fmt.Errorf("%q is not known; write five fields, as in \"0 18 * * FRI\", or one of %s", text, strings.Join(cronNicknames, ", "))
}

// parseStandard is robfig's parser without its panics, on a clock that has no daylight saving.
func parseStandard(text string) (spec *cron.SpecSchedule, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			spec, err = nil, fmt.Errorf("%q cannot be read: %v", text, cause)
		}
	}()
	schedule, err := cron.ParseStandard(text)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: %w", text, err)
	}
	spec, ok := schedule.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("%q is not a time of the day; write five fields, as in \"0 18 * * FRI\"", text)
	}
	return spec, nil
}

// plainCron checks the five fields and rewrites them in the subset that robfig/cron reads as people mean it.
func plainCron(text string) (string, error) {
	fields := strings.Fields(text)
	if len(fields) == 6 {
		return "", fmt.Errorf("%q has six fields; seconds are not scheduled here, so drop the first: %q", text, strings.Join(fields[1:], " "))
	}
	if len(fields) != len(cronFields) {
		return "", fmt.Errorf("%q has %s where five belong: minute, hour, day of month, month, weekday, as in \"0 18 * * FRI\"", text, count(len(fields), "field"))
	}
	for i, field := range fields {
		plain, err := cronFields[i].plain(field)
		if err != nil {
			return "", err
		}
		fields[i] = plain
	}
	return strings.Join(fields, " "), nil
}

func (f cronField) plain(text string) (string, error) {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		plain, err := f.plainItem(item)
		if err != nil {
			return "", err
		}
		items = append(items, plain)
	}
	return strings.Join(items, ","), nil
}

func (f cronField) plainItem(item string) (string, error) {
	if item == "" {
		return "", fmt.Errorf("%s: a comma has nothing beside it; write a list as 1,15", f.name)
	}
	span, stepText, stepped := strings.Cut(item, "/")
	low, high, err := f.span(span)
	if err != nil {
		return "", err
	}
	if !stepped {
		if high > f.high {
			return f.list(low, high, 1), nil
		}
		return strings.ToUpper(item), nil
	}
	step, ok := number(stepText)
	if !ok || step == 0 {
		return "", fmt.Errorf("%s %s: a step is a whole number from 1, as in */5", f.name, item)
	}
	if !strings.Contains(span, "-") && span != "*" && span != "?" {
		high = f.high // "5/10" is every tenth from 5 on
		if low > high {
			return "", fmt.Errorf("%s %s: nothing comes after 7, which is Sunday; write 0/%d", f.name, item, step)
		}
	}
	if step == 1 && (span == "*" || span == "?") {
		return "*", nil // still a star: beside the other day field it restricts nothing
	}
	if step > high-low {
		return "", fmt.Errorf("%s %s: the step %d is longer than the range %d-%d, so only %d would ever be met; write %d if that is meant", f.name, item, step, low, high, low, low)
	}
	return f.list(low, high, step), nil
}

// span reads "*", a value or a range; high may be one above the field's for a weekday that ends on Sunday.
func (f cronField) span(text string) (low, high int, err error) {
	if text == "*" || text == "?" {
		return f.low, f.high, nil
	}
	lowText, highText, ranged := strings.Cut(text, "-")
	if low, err = f.value(lowText); err != nil {
		return 0, 0, err
	}
	if !ranged {
		return low, low, nil
	}
	if high, err = f.value(highText); err != nil {
		return 0, 0, err
	}
	if f.isWeekday() && high == 0 && low > 0 {
		high = 7 // FRI-SUN ends on the Sunday that follows
	}
	if low > high {
		return 0, 0, fmt.Errorf("%s %s runs backwards; write %d-%d,%d-%d", f.name, text, low, f.high, f.low, high)
	}
	return low, high, nil
}

func (f cronField) isWeekday() bool { return f.name == cronFields[weekdayField].name }

func (f cronField) value(text string) (int, error) {
	if i := slices.Index(f.names, strings.ToUpper(text)); i >= 0 {
		return f.low + i, nil
	}
	value, ok := number(text)
	if !ok {
		return 0, f.unreadable(text)
	}
	if f.isWeekday() && value == 7 {
		return value, nil
	}
	if value < f.low || value > f.high {
		return 0, fmt.Errorf("%s %s is out of range; it runs from %d to %d", f.name, text, f.low, f.high)
	}
	return value, nil
}

func (f cronField) unreadable(text string) error {
	if len(text) > 3 && len(f.names) > 0 {
		if i := slices.Index(f.names, strings.ToUpper(text[:3])); i >= 0 {
			return fmt.Errorf("%s %q is not known; write %s", f.name, text, f.names[i])
		}
	}
	if strings.ContainsAny(text, "LWlw#") && strings.Trim(strings.ToUpper(text), "0123456789LW#") == "" {
		return fmt.Errorf("%s %q: L, W and # are not known here; name the days by their numbers", f.name, text)
	}
	if len(f.names) > 0 {
		return fmt.Errorf("%s %q is not known; write %d to %d, %s to %s, or *", f.name, text, f.low, f.high, f.names[0], f.names[len(f.names)-1])
	}
	return fmt.Errorf("%s %q is not known; write %d to %d, or *", f.name, text, f.low, f.high)
}

// list names every value from low to high; a weekday 7 becomes 0.
func (f cronField) list(low, high, step int) string {
	var values []string
	for v := low; v <= high; v += step {
		if f.isWeekday() {
			values = append(values, strconv.Itoa(v%7))
			continue
		}
		values = append(values, strconv.Itoa(v))
	}
	return strings.Join(values, ",")
}

// number reads decimal digits only: no sign, no more than four.
func number(text string) (int, bool) {
	if text == "" || len(text) > 4 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

func minutesOfDay(spec *cron.SpecSchedule) []int {
	var minutes []int
	for hour := range 24 {
		if spec.Hour&(1<<hour) == 0 {
			continue
		}
		for minute := range 60 {
			if spec.Minute&(1<<minute) != 0 {
				minutes = append(minutes, hour*60+minute)
			}
		}
	}
	return minutes
}

// eitherDay reports whether both day fields are restricted, in which case cron fires on days that meet one of them.
func (t timetable) eitherDay() bool {
	return t.spec.Dom&everyValue == 0 && t.spec.Dow&everyValue == 0
}

// weekdays names the days of the week on which the expression fires: "Friday", "Monday, Friday".
func (t timetable) weekdays() string {
	var names []string
	for day := time.Sunday; day <= time.Saturday; day++ {
		if t.spec.Dow&(1<<day) != 0 {
			names = append(names, day.String())
		}
	}
	return strings.Join(names, ", ")
}

// fires reports whether a date has slots.
func (t timetable) fires(month, day, weekday int) bool {
	if t.spec.Month&(1<<month) == 0 {
		return false
	}
	byDate, byWeekday := t.spec.Dom&(1<<day) != 0, t.spec.Dow&(1<<weekday) != 0
	if t.eitherDay() {
		return byDate || byWeekday
	}
	return byDate && byWeekday
}

// everFires reports whether some date of the calendar has slots. 29 February counts: it comes within eight years.
func (t timetable) everFires() bool {
	if len(t.minutes) == 0 {
		return false
	}
	longest := [13]int{1: 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	for month := 1; month <= 12; month++ {
		for day := 1; day <= longest[month]; day++ {
			for weekday := range 7 {
				if t.fires(month, day, weekday) {
					return true
				}
			}
		}
	}
	return false
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
