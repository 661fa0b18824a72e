// Draws a text as a QR code.

import { qrcode } from './vendor/qrcode.js';

const SVG = 'http://www.w3.org/2000/svg';
const MARGIN = 3; // modules; scanners want a quiet zone, the card around it gives the rest

/** Returns an SVG of the code: one path, which scales and takes its colours from the style sheet. */
export function drawQR(text, label) {
  const code = qrcode(0, 'M'); // the smallest that holds the text; a seventh of it may be unreadable
  code.addData(text, 'Byte');
  code.make();
  const count = code.getModuleCount();
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `${-MARGIN} ${-MARGIN} ${count + 2 * MARGIN} ${count + 2 * MARGIN}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  svg.setAttribute('shape-rendering', 'crispEdges');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', modules(code, count));
  svg.append(path);
  return svg;
}

function modules(code, count) {
  let d = '';
  for (let y = 0; y < count; y++) {
    for (let x = 0; x < count; x++) if (code.isDark(y, x)) d += `M${x} ${y}h1v1h-1z`;
  }
  return d;
}
