/** The pages of an installed web client: its files and nothing else, under a policy of their own. */
import '../../actors/trap.ts'
import { createHash } from 'node:crypto'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { openPages } from '../../actors/pages.ts'
import { limits } from '../../protocol/limits.ts'
import { cases } from '../store/cases.ts'
import { withDirectory } from '../support/directory.ts'
import { startTestGateway } from '../support/gateway.ts'

const pages = cases('pages')

const SCRIPT = "console.info('hi')"
const INDEX = `<!doctype html><html lang="en"><head><script>${SCRIPT}</script>
<script type="module" src="./assets/app-1a2b.js"></script><link href="./style.css"></head></html>`

/** Lays out a web client beside a secret; returns its root. */
function layOut(directory: string): string {
  const root = join(directory, 'ui')
  mkdirSync(join(root, 'assets'), { recursive: true })
  mkdirSync(join(root, '.git'))
  writeFileSync(join(root, 'index.html'), INDEX)
  writeFileSync(join(root, 'other.html'), INDEX)
  writeFileSync(join(root, 'assets', 'app-1a2b.js'), 'run()')
  writeFileSync(join(root, 'style.css'), 'a{}')
  writeFileSync(join(root, '.env'), 'secret')
  writeFileSync(join(root, '.git', 'config.txt'), 'secret')
  writeFileSync(join(directory, 'secret.txt'), 'secret')
  symlinkSync(join(directory, 'secret.txt'), join(root, 'out.txt'))
  symlinkSync(directory, join(root, 'up'))
  symlinkSync('style.css', join(root, 'in.css'))
  return root
}

const over = (run: (root: string) => Promise<void>) => () =>
  withDirectory((directory) => run(layOut(directory)))

pages(
  'PG1 a file is sent with its type; one named by its digest may be kept for ever',
  over(async (root) => {
    const { answer } = openPages(root)

    const script = await answer('/assets/app-1a2b.js')
    const style = await answer('/style.css')

    assert.equal([script?.status, script?.type], [200, 'text/javascript; charset=utf-8'])
    assert.is(String(script?.body), 'run()')
    assert.match(script?.headers['cache-control'] ?? '', /immutable/)
    assert.equal(
      [style?.type, style?.headers['cache-control']],
      ['text/css; charset=utf-8', 'no-cache'],
    )
    assert.is(String((await answer('/in.css'))?.body), 'a{}')
  }),
)

pages(
  'PG2 nothing above, behind a link out, hidden, or that is no file is sent',
  over(async (root) => {
    const { answer } = openPages(root)

    for (const path of [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/assets/../../secret.txt',
      '/assets/%2e%2e%2f%2e%2e%2fsecret.txt',
      '/..%5csecret.txt',
      '/up/secret.txt',
      '/out.txt',
      '/.env',
      '/.git/config.txt',
      '/%2egit/config.txt',
      '/style.css%00.txt',
      '/%ff.css',
      '/missing.js',
      '/up/ui.d/x.js',
    ]) {
      assert.is(await answer(path), null, path)
    }
  }),
)

pages(
  'PG3 a path without a file’s ending is the page, told where it stands',
  over(async (root) => {
    const { answer } = openPages(root)

    for (const path of ['/', '/chat', '/chat/agent:main:main', '/a/b/c']) {
      const page = await answer(path)
      const text = String(page?.body)
      assert.is(page?.type, 'text/html; charset=utf-8')
      assert.ok(text.includes('<html data-openclaw-control-ui-base-path=""'), path)
      assert.ok(text.includes('src="/assets/app-1a2b.js"') && text.includes('href="/style.css"'))
    }
  }),
)

pages(
  'PG4 every page runs only scripts that came with it, by whatever name it is asked for',
  over(async (root) => {
    const { answer } = openPages(root)
    const digest = createHash('sha256').update(SCRIPT).digest('base64')

    for (const path of ['/', '/index.html', '/other.html', '/INDEX.HTML']) {
      const page = await answer(path)
      if (page === null && path === '/INDEX.HTML') continue // Names differ by case here.
      const { 'content-security-policy': policy = '', ...others } = page?.headers ?? {}
      assert.ok(policy.includes(`'sha256-${digest}'`), path)
      assert.not.match(policy, /script-src[^;]*'unsafe-inline'/)
      assert.match(policy, /default-src 'self'/)
      assert.match(policy, /frame-ancestors 'none'/)
      assert.is(others['x-frame-options'], 'DENY')
      assert.is(others['referrer-policy'], 'no-referrer')
    }
  }),
)

pages(
  'PG5 a file that is too large, and a directory that is not there, are no files',
  over(async (root) => {
    const big = join(root, 'big.bin')
    writeFileSync(big, '')
    truncateSync(big, limits.pageBytesMax + 1)

    assert.is(await openPages(root).answer('/big.bin'), null)
    assert.is(await openPages(join(root, 'nowhere')).answer('/'), null)
  }),
)

interface Heard {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

/** Asks by a path as it is written, which `fetch` would tidy up. */
function ask(port: number, path: string, method = 'GET'): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path, method }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

pages(
  'PG6 over the wire: pages, 404 for what is not there, probes as ever, HEAD without a body',
  over(async (root) => {
    const config = { gateway: { controlUi: { root } } }
    const house = await startTestGateway({ config })
    try {
      const port = Number(new URL(house.gateway.url).port)
      const page = await ask(port, '/chat')
      assert.is(page.status, 200)
      assert.is(page.headers['x-content-type-options'], 'nosniff')
      assert.ok('content-security-policy' in page.headers)
      const head = await ask(port, '/assets/app-1a2b.js', 'HEAD')
      assert.equal([head.status, head.body], [200, ''])
      assert.is(head.headers['content-type'], 'text/javascript; charset=utf-8')
      for (const path of ['/missing.js', '/../secret.txt', '/.env', '/out.txt']) {
        assert.is((await ask(port, path)).status, 404, path)
      }
      assert.is((await ask(port, '/control-ui-config.json')).status, 401)
      assert.is((await ask(port, '/healthz')).status, 200)
      assert.is((await ask(port, '/', 'POST')).status, 405)
    } finally {
      await house.stop()
    }
  }),
)

pages('PG7 without a root, or switched off, no page is served', () =>
  withDirectory(async (directory) => {
    const root = layOut(directory)
    for (const controlUi of [{}, { root, enabled: false }]) {
      const house = await startTestGateway({ config: { gateway: { controlUi } } })
      try {
        const port = Number(new URL(house.gateway.url).port)
        assert.is((await ask(port, '/')).status, 426)
        assert.is((await ask(port, '/style.css')).status, 404)
      } finally {
        await house.stop()
      }
    }
  }),
)

pages.run()
