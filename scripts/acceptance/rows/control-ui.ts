/**
 * Both releases' browser Control UI in headless Chromium: logs in with the token, lists the
 * sessions, sends a message and sees the answer stream in. Screenshots stay as artefacts.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ask } from '../raw-client.ts'
import { at, type Release, type Row, says, type Seen } from '../row.ts'
import type { Scene } from '../scene.ts'

interface Page {
  goto: (url: string) => Promise<unknown>
  reload: () => Promise<unknown>
  addInitScript: (script: string) => Promise<void>
  screenshot: (options: object) => Promise<unknown>
  evaluate: (script: string) => Promise<unknown>
  locator: (selector: string) => { first: () => Field }
  on: (event: 'websocket', listener: (socket: Socket) => void) => void
}

interface Field {
  waitFor: (options: object) => Promise<void>
  fill: (text: string) => Promise<void>
  press: (key: string) => Promise<void>
}

interface Socket {
  on: (event: 'framereceived', listener: (frame: { payload: string | Buffer }) => void) => void
}

interface Browser {
  newPage: (options: object) => Promise<Page>
  close: () => Promise<void>
}

interface Playwright {
  readonly chromium: { launch: (options: object) => Promise<Browser> }
}

const CHROMIUM = process.env['OPENCLAW_CHROMIUM'] ?? '/usr/bin/chromium'
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const WAIT_MS = 60_000
const LOOK_MS = 200
const SETTINGS = 'openclaw.control.settings.v1'
const MESSAGE = 'one two three four five six seven eight'
const LISTED = 'acceptance-listed'
const FIELD = 'textarea:visible, [contenteditable=true]:visible'

/** Finds text on the page, in shadow roots, fields and options too. */
const PAGE_TEXT = `(() => {
  const inside = (node) => [
    node.nodeType === 3 ? node.textContent : '',
    node.tagName === 'OPTION' || node.tagName === 'TEXTAREA' ? node.value : '',
    ...(node.tagName === 'STYLE' || node.tagName === 'SCRIPT' ? [] : [...node.childNodes].map(inside)),
    node.shadowRoot ? inside(node.shadowRoot) : '',
  ].join(' ')
  return inside(document.body).replace(/\\s+/g, ' ')
})()`

async function run(scene: Scene, release: Release): Promise<Seen> {
  await ask(scene.target, 'agent', {
    message: 'a conversation to list',
    sessionKey: `agent:main:${LISTED}`,
    idempotencyKey: `listed-${scene.target.port}`,
  })
  const require = createRequire(join(scene.packages('browser'), 'package.json'))
  const { chromium } = require('playwright-core') as Playwright
  const options = { executablePath: CHROMIUM, headless: true, args: FLAGS, env: scene.env }
  const browser = await chromium.launch(options)
  try {
    return await useBrowser(browser, scene, release)
  } finally {
    await browser.close()
  }
}

async function useBrowser(browser: Browser, scene: Scene, release: Release): Promise<Seen> {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 900 } })
  const states = countStates(page)
  const approved = approveOnce(page, scene)
  const { token } = scene.target
  // The old one keeps its token here; in the query of a URL ours takes none (S59).
  const kept = JSON.stringify({ token })
  await page.addInitScript(
    `localStorage.getItem('${SETTINGS}') ?? localStorage.setItem('${SETTINGS}', '${kept}')`,
  )
  await page.goto(release === 'new' ? `${scene.http}/#token=${token}` : `${scene.http}/`)
  const field = page.locator(FIELD).first()
  await Promise.race([field.waitFor({ timeout: WAIT_MS }), approved])
  await field.waitFor({ timeout: WAIT_MS })
  const isListed = await holds(page, LISTED)
  await page.screenshot({ path: join(scene.artefacts, `control-ui-${release}-list.png`) })
  await field.fill(MESSAGE)
  await field.press('Enter')
  const isShown = await holds(page, `echo: ${MESSAGE}`)
  await page.screenshot({ path: join(scene.artefacts, `control-ui-${release}-chat.png`) })
  const lines = [
    `session listed: ${isListed}`,
    `reply shown: ${isShown}`,
    `chat events: ${JSON.stringify(states)}`,
    String(await page.evaluate(PAGE_TEXT)),
  ]
  return { code: 0, text: lines.join('\n') }
}

/** A browser that is not known waits for a person: approves it and looks again. */
function approveOnce(page: Page, { target }: Scene): Promise<void> {
  return new Promise((resolve, reject) => {
    let asked = ''
    page.on('websocket', (socket) => {
      socket.on('framereceived', ({ payload }) => {
        const frame = JSON.parse(String(payload)) as unknown
        const requestId = at(frame, 'error', 'details', 'requestId')
        if (typeof requestId !== 'string' || requestId === asked) return
        asked = requestId
        ask(target, 'device.pair.approve', { requestId })
          .then(() => page.reload())
          .then(() => resolve(), reject)
      })
    })
  })
}

/** Waits for a text on the page, which may load itself anew meanwhile. */
async function holds(page: Page, text: string): Promise<boolean> {
  const deadline = performance.now() + WAIT_MS
  while (performance.now() < deadline) {
    const shown = await page.evaluate(PAGE_TEXT).catch(() => '')
    if (typeof shown === 'string' && shown.includes(text)) return true
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return false
}

/** Counts the chat events that reach the page, by state. */
function countStates(page: Page): Record<string, number> {
  const states: Record<string, number> = {}
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => {
      const frame = JSON.parse(String(payload)) as unknown
      if (at(frame, 'event') !== 'chat') return
      const state = String(at(frame, 'payload', 'state'))
      states[state] = (states[state] ?? 0) + 1
    })
  })
  return states
}

function controlUi(release: Release): Row {
  return {
    name: release === 'new' ? 'control ui' : 'old control ui',
    release,
    needs: ['browser', release === 'new' ? 'openclaw' : 'old'],
    seconds: 360, // A run before it, and a page that loads 1,500 files.
    run: (scene) => run(scene, release),
    expect: [
      says(/^session listed: true$/m),
      says(/^reply shown: true$/m),
      says(/^chat events: .*"delta":\d+/m),
      says(/^chat events: .*"final":1/m),
    ],
  }
}

export const controlUiRows: readonly Row[] = [controlUi('new'), controlUi('old')]
