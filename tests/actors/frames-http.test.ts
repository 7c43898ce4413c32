/** Requests at the door: what is an upgrade, what is a probe, and what is neither (S04, S49, S50). */
import '../../actors/trap.ts'
import { type Attack, attackSuite } from '../support/attacks.ts'
import { rawFrame, request, upgradeHead } from '../support/raw-socket.ts'

type Changes = Readonly<Record<string, string | null>>

const upgrade = (name: string, changes: Changes, status: number, line?: string): Attack => ({
  name,
  state: 'tcp',
  bytes: (port) => [upgradeHead(port, changes, line)],
  expected: `http ${status}`,
})

const plain = (name: string, line: string, status: number, more = ''): Attack => ({
  name,
  state: 'tcp',
  bytes: (port) => [`${line}\r\nHost: 127.0.0.1:${port}\r\n${more}\r\n`],
  expected: `http ${status}`,
})

const KEY = 'sec-websocket-key'
const VERSION = 'sec-websocket-version'
const NONE = { connection: null, upgrade: null, [KEY]: null, [VERSION]: null }

const upgrades: Attack[] = [
  upgrade('S49 a proper upgrade', {}, 101),
  upgrade('S49 an upgrade to another path', {}, 101, 'GET /ws HTTP/1.1'),
  upgrade(
    'S49 names in capitals',
    { upgrade: 'WebSocket', connection: 'keep-alive, Upgrade' },
    101,
  ),
  upgrade(
    'S18 compression offered is not taken',
    { 'sec-websocket-extensions': 'permessage-deflate' },
    101,
  ),
  ...['0', '7', '8', '12', '14', '13, 8', 'x', ''].map((version) =>
    upgrade(`S49 version "${version}"`, { [VERSION]: version }, 426),
  ),
  upgrade('S49 no version', { [VERSION]: null }, 426),
  ...['', 'x', 'dGhlIHNhbXBsZSBub25jZQ', 'dGhlIHNhbXBsZSBub25jZQ==x', `${'A'.repeat(64)}==`].map(
    (key) => upgrade(`S49 the key "${key.slice(0, 30)}"`, { [KEY]: key }, 400),
  ),
  upgrade('S49 no key', { [KEY]: null }, 400),
  upgrade('S49 upgrade to h2c', { upgrade: 'h2c' }, 426),
  upgrade('S49 HTTP/1.0', {}, 426, 'GET / HTTP/1.0'),
  ...['POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'TRACE'].map((method) =>
    upgrade(`S49 an upgrade by ${method}`, {}, 405, `${method} / HTTP/1.1`),
  ),
  upgrade('S49 an upgrade with a body', { 'content-length': '5' }, 400),
  upgrade('S49 an upgrade with chunks', { 'transfer-encoding': 'chunked' }, 400),
  upgrade('S49 CL and TE', { 'transfer-encoding': 'chunked', 'content-length': '5' }, 400),
  upgrade('S49 a head of 20 KB', { 'x-long': 'x'.repeat(20_000) }, 431),
  upgrade(
    'S49 2,000 header lines',
    Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`x-${n}`, 'y'.repeat(10)])),
    431,
  ),
  upgrade('S04 an absolute target', {}, 400, 'GET http://127.0.0.1/ HTTP/1.1'),
  upgrade('S04 a target of two slashes', {}, 400, 'GET //evil.example/ HTTP/1.1'),
  upgrade('S04 two Hosts', { host: '127.0.0.1\r\nHost: evil.example' }, 400),
  upgrade('S04 the same Host twice', { host: '127.0.0.1\r\nHost: 127.0.0.1' }, 400),
  upgrade('S04 no Host', { host: null }, 400),
  upgrade('S04 another Host', { host: 'evil.example' }, 403),
  upgrade('S02 two Origins', { origin: 'http://127.0.0.1\r\nOrigin: http://evil.example' }, 400),
  upgrade('S02 another Origin', { origin: 'https://evil.example' }, 403),
  upgrade('S49 two keys', { [KEY]: 'dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-key: x' }, 400),
  upgrade('S49 two versions', { [VERSION]: '13\r\nsec-websocket-version: 13' }, 400),
  upgrade('S46 a folded header', { 'x-a': 'b\r\n c: d' }, 400),
  upgrade('S46 a bare CR in a header', { 'x-a': 'b\rc' }, 400),
  upgrade('S46 a NUL in a header', { 'x-a': 'b\0c' }, 400),
  upgrade('S46 a space before the colon', { 'x-a ': 'b' }, 400),
]

const probes: Attack[] = [
  plain('S49 GET /', 'GET / HTTP/1.1', 426),
  plain('S50 GET /health', 'GET /health HTTP/1.1', 200),
  plain('S50 GET /healthz', 'GET /healthz HTTP/1.1', 200),
  plain('S50 HEAD /healthz', 'HEAD /healthz HTTP/1.1', 200),
  plain('S50 GET /readyz', 'GET /readyz HTTP/1.1', 200),
  plain('S49 GET /healthz over HTTP/1.0', 'GET /healthz HTTP/1.0', 200),
  plain('S49 a path that is not there', 'GET /etc/passwd HTTP/1.1', 404),
  plain('S49 a path that climbs', 'GET /../../etc/passwd HTTP/1.1', 404),
  plain('S49 /healthz and more', 'GET /healthz/x HTTP/1.1', 404),
  ...['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'].map((method) =>
    plain(`S49 ${method}`, `${method} /healthz HTTP/1.1`, 405),
  ),
  plain('S49 CONNECT', 'CONNECT evil.example:443 HTTP/1.1', 405),
  plain('S49 a method of no one', 'FETCH / HTTP/1.1', 400),
  plain('S49 HTTP/2.0', 'GET / HTTP/2.0', 505),
  plain('S49 HTTP/0.9', 'GET /', 505),
  plain('S49 the preface of HTTP/2', 'PRI * HTTP/2.0', 400, '\r\nSM\r\n\r\n'),
  plain('S49 a TLS hello', '\u0016\u0003\u0001\u0002\u0000', 400),
  plain('S49 an asterisk', 'OPTIONS * HTTP/1.1', 405),
  plain('S49 an absolute target', 'GET http://evil.example/ HTTP/1.1', 400),
  plain(
    'S49 CL and TE of a request',
    'POST / HTTP/1.1',
    400,
    'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
  ),
  plain('S49 two lengths', 'POST / HTTP/1.1', 400, 'Content-Length: 5\r\nContent-Length: 6\r\n'),
  plain('S49 a length that is no number', 'POST / HTTP/1.1', 400, 'Content-Length: +5\r\n'),
  plain('S49 TE of no one', 'POST / HTTP/1.1', 405, 'Transfer-Encoding: xchunked\r\n'),
  plain('S04 two Hosts for a probe', 'GET /healthz HTTP/1.1', 400, 'Host: evil.example\r\n'),
  plain(
    'S49 a head of 20 KB for a probe',
    'GET /healthz HTTP/1.1',
    431,
    `X: ${'x'.repeat(20_000)}\r\n`,
  ),
]

const behind: Attack[] = [
  {
    name: 'S49 an upgrade behind an upgrade is read as a frame',
    state: 'upgraded',
    bytes: (port) => [upgradeHead(port)],
    expected: 'close 1002',
  },
  {
    name: 'S49 an upgrade behind a body',
    state: 'tcp',
    bytes: (port) => [
      `POST / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 3\r\n\r\nabc`,
      upgradeHead(port),
    ],
    expected: 'http 405',
  },
  {
    name: 'S49 a probe without the rest of an upgrade',
    state: 'tcp',
    bytes: (port) => [upgradeHead(port, NONE)],
    expected: 'http 426',
  },
  {
    name: 'S49 a frame that comes with the upgrade waits for it',
    state: 'tcp',
    bytes: (port) => [upgradeHead(port), rawFrame({ payload: request('health') })],
    expected: 'http 101',
  },
]

attackSuite('requests at the door', [...upgrades, ...probes, ...behind], 75)
