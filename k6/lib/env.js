// The settings of a run: environment variables, each with a default and its unit. A wrong one stops the run.

// target is the server under load. Only load a host that is yours.
export const target = text('TARGET', 'http://127.0.0.1:8080').replace(/\/+$/, '');

// shownTarget is the target without a password in it.
export const shownTarget = target.replace(/\/\/[^/]*@/, '//');

// wait is how long held requests ask to be held, in seconds; the server cuts it to its own maximum.
export const wait = number('WAIT', 10, 1, 30);

// Requests time out before gracefulStop does: a server that hangs is then a failed request, not an interrupted iteration, which
// k6 would count nowhere.
export const timeout = 5; // seconds, on top of the wait
export const gracefulStop = `${4 * (wait + timeout)}s`; // a handshake holds two requests in sequence, a dead client's three

export function text(name, otherwise) {
  return __ENV[name] || otherwise;
}

// number returns the variable as a number from least to most.
export function number(name, otherwise, least = 0, most = Infinity) {
  const value = Number(text(name, otherwise));
  if (!(value >= least && value <= most)) {
    throw new Error(`${name} is ${__ENV[name]}, must be a number from ${least} to ${most}`);
  }
  return value;
}

// whole is number for whole ones: k6 takes no other rates.
export function whole(name, otherwise, least = 1, most = 1e6) {
  const value = number(name, otherwise, least, most);
  if (!Number.isInteger(value)) throw new Error(`${name} is ${__ENV[name]}, must be a whole number`);
  return value;
}

// seconds returns the variable, a duration such as 90s or 1h30m, in seconds.
export function seconds(name, otherwise) {
  return parseSeconds(name, text(name, otherwise));
}

const unitSeconds = { h: 3600, m: 60, s: 1 };

function parseSeconds(name, value) {
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)([hms])/g)];
  const sum = parts.reduce((total, [, count, unit]) => total + Number(count) * unitSeconds[unit], 0);
  if (parts.map(([part]) => part).join('') !== value || sum < 1) {
    throw new Error(`${name} has ${value}, must be a duration of 1s or more, such as 90s or 1h30m`);
  }
  return sum;
}

// Load is an open model: iterations begin at their rate, however slowly the server answers those before. It is constant
// (RATE a second for DURATION), or goes where STAGES leads it: "30s:200,1m:1000" climbs to 200 a second within 30 s, and
// on to 1000 within a minute.
export class Load {
  // busy is how long an iteration may take before the rate suffers, in seconds.
  constructor({ rate, duration, busy = 1 }) {
    this.rate = whole('RATE', rate);
    this.stages = text('STAGES', '').split(',').filter(Boolean).map((stage) => {
      const [duration, target] = stage.split(':');
      if (!/^\d+$/.test(target || '')) throw new Error(`STAGES has ${stage}, must be as in 30s:200,1m:1000`);
      return { seconds: parseSeconds('STAGES', duration), target: Number(target) };
    });
    this.seconds = seconds('DURATION', duration);
    if (this.stages.length > 0) this.seconds = this.stages.reduce((sum, stage) => sum + stage.seconds, 0);
    this.busy = busy;
  }

  // tide makes the rate come and go between half and one and a half of itself, about once in five minutes, and in each quarter of
  // the run alike, so that they can be compared.
  tide() {
    const high = Math.round(this.rate * 1.5);
    const low = Math.max(1, Math.round(this.rate / 2));
    const times = 4 * Math.max(1, Math.round(this.seconds / 1200));
    const half = this.seconds / times / 2;
    for (let i = 0; i < times; i++) {
      this.stages.push({ seconds: half, target: high }, { seconds: half, target: low });
    }
    return this;
  }

  // iterations is how many begin.
  get iterations() {
    let from = this.rate;
    if (this.stages.length === 0) return from * this.seconds;
    return this.stages.reduce((sum, { seconds, target }) => {
      sum += seconds * (from + target) / 2;
      from = target;
      return sum;
    }, 0);
  }

  // scenario returns the load as k6's scenario of the exported function exec.
  scenario(exec) {
    const peak = this.stages.reduce((most, { target }) => Math.max(most, target), this.rate);
    const vus = whole('VUS', Math.max(10, Math.ceil(peak * this.busy)));
    const common = { exec, gracefulStop, preAllocatedVUs: vus, maxVUs: 2 * vus, timeUnit: '1s' };
    if (this.stages.length === 0) {
      return { ...common, executor: 'constant-arrival-rate', rate: this.rate, duration: `${this.seconds}s` };
    }
    const stages = this.stages.map(({ seconds, target }) => ({ duration: `${Math.round(seconds * 1000)}ms`, target }));
    return { ...common, executor: 'ramping-arrival-rate', startRate: this.rate, stages };
  }
}
