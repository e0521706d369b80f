/** The files of the page. Anything else there is not. */
export const FILES: Readonly<Record<string, string>> = {
  '/index.html': 'text/html; charset=utf-8',
  '/renderer.js': 'text/javascript; charset=utf-8',
  '/style.css': 'text/css; charset=utf-8',
  // The words of one language; the page takes one of them.
  ...Object.fromEntries(
    ['en', 'de', 'fr', 'es', 'it'].map((language) => [`/texts-${language}.js`, 'text/javascript; charset=utf-8']),
  ),
};

/** No network, no inline script or style, no frames; pictures are in the page itself. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
  // No dialogs, windows, downloads or printing. Forms are needed for the Enter key, and lead nowhere.
  'sandbox allow-scripts allow-same-origin allow-forms',
].join('; ');

/** What each of them is served with. */
export const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy':
    'camera=(), microphone=(), geolocation=(), usb=(), hid=(), serial=(), display-capture=(), clipboard-read=()',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'cache-control': 'no-store',
};
