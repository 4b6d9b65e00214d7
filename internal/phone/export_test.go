package phone

// PlanDigits is what a Locator goes by.
var PlanDigits = planDigits
