// What the API's page does beside what swagger-ui does by itself. start.js names what stands here.

const dark = matchMedia('(prefers-color-scheme: dark)');
const dye = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', dye);
dye();

/** Where the API is, seen from here: below the same folder of a proxy, by the same scheme. */
const besideThisPage = (description) => ({
  ...description,
  host: location.host,
  schemes: [location.protocol.slice(0, -1)],
  basePath: new URL('..', location.href).pathname,
});

/** A stream has no end, and swagger-ui would show its answer at the end. */
const streams = (operation) => operation?.get('produces')?.includes('text/event-stream') ?? false;

/** A plugin of swagger-ui (docs/customization/plugin-api.md). */
const SignalServer = ({ React }) => ({
  wrapComponents: {
    DeepLink: () => ({ text }) => React.createElement('span', null, text), // a link would stand in the button that opens the route
  },
  statePlugins: {
    spec: {
      wrapActions: { updateJsonSpec: (original) => (description) => original(besideThisPage(description)) },
      wrapSelectors: {
        allowTryItOutFor: (_, system) => (state, path, method) =>
          !streams(system.getSystem().specSelectors.specJson().getIn(['paths', path, method])),
      },
    },
  },
});

/** Lets people type a token alone: the header has the scheme before it (RFC 6750, Section 2.1). */
function withScheme(request) {
  const { Authorization: token } = request.headers ?? {};
  if (token && !/^bearer\s/i.test(token)) request.headers.Authorization = `Bearer ${token.trim()}`;
  return request;
}

const named = (name) => (element) => element.setAttribute('aria-label', name);
const without = (attribute) => (element) => element.removeAttribute(attribute);
const withValue = (attribute, value) => (element) => element.setAttribute(attribute, value);
const region = (name) => (element) => {
  element.setAttribute('role', 'region');
  named(name)(element);
};

/** What swagger-ui leaves without a name, or names otherwise than people read it: which elements, and what is done to them. */
const mends = {
  'tr[data-param-name] :is(input, select, textarea)': (field) => {
    const row = field.closest('tr');
    const isType = field.closest('.body-param-content-type');
    if (!isType) named(row.dataset.paramName)(field);
  },
  '.close-modal': named('Close'),
  '.auth-btn-wrapper [aria-label]': without('aria-label'), // which is not what stands on the button
  'table.responses-table[role]': without('role'), // a table is one
  'h3.opblock-tag, .modal-ux-header h3': withValue('aria-level', '2'), // the title has 1
  '.opblock-body h4, .modal-ux h4': withValue('aria-level', '3'),
  '.opblock-body h5': withValue('aria-level', '4'),
  '.information-container': region('The server'),
  '.scheme-container': region('Authorization'),
  '.modal-ux': (dialog) => {
    dialog.setAttribute('role', 'dialog');
    dialog.setAttribute('aria-modal', 'true');
    named('Authorization')(dialog);
  },
  'pre.microlight': withValue('tabindex', '0'), // it scrolls, by keys too
  '.dialog-ux:not([data-seen])': (dialog) => { // each of its fields has taken the focus, the last one has it
    dialog.dataset.seen = '';
    dialog.querySelector('input')?.focus();
  },
};

function mend() {
  for (const [selector, change] of Object.entries(mends)) document.querySelectorAll(selector).forEach(change);
}
new MutationObserver(mend).observe(document.getElementById('swagger-ui'), { childList: true, subtree: true });
