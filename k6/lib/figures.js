// How the text and the page of a result show its figures.

// trendStats are the columns of a trend.
export const trendStats = ['count', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max'];

// shown returns a number as people read it.
export function shown(value) {
  return value === undefined || value === null ? '–' : String(value);
}
