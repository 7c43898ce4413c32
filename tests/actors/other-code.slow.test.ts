/** Other code: what it may do, what is refused by name, and that replay through it is the same. */
import '../../actors/trap.ts'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { readCodeTree, storedCode } from '../../actors/code-files.ts'
import { openCodeHost } from '../../actors/code-host.ts'
import { openHistory } from '../../actors/history.ts'
import {
  type CodeChoice,
  type CodeHouse,
  openRunner,
  replayHistory,
} from '../../actors/other-code.ts'
import { systemClock } from '../../actors/services.ts'
import { checkControl, CONTROL } from '../../machines/history/fork.ts'
import type { JournalRecord } from '../../protocol/record.ts'
import { cases } from '../store/cases.ts'
import { faultOf } from '../store/contract.ts'
import { withDirectory } from '../support/directory.ts'
import { ourCode, patchMachines, recordTraffic } from '../support/traffic.ts'

const test = cases('other code')
const traffic = await recordTraffic()
const history = openHistory(traffic.store)
const all = { from: 1, to: history.head() }
const house: CodeHouse = {
  own: ourCode(),
  loadCode: () => Promise.resolve(null),
  clock: systemClock,
}
const NOTHING = ['kinds', 'kinds'] as const
const FIRST = 'import { channelMachine' // How kinds.js begins.

const replay = (choice: CodeChoice, from = 1) =>
  replayHistory(house, history, { ...all, from, choice })

/** Starts code whose kinds.js begins with some lines. */
function openWith(directory: string, lines: string, answerMs = 10_000): Promise<unknown> {
  patchMachines(directory, 'kinds.js', [FIRST, `${lines}\n${FIRST}`])
  return openCodeHost(readCodeTree(directory), { clock: systemClock, answerMs })
}

test('R-4 unchanged machines in their own process replay the same, from any position', () =>
  withDirectory(async (directory) => {
    const code = readCodeTree(patchMachines(directory, 'kinds.js', NOTHING))

    for (const from of [1, 20, 39]) {
      const result = await replay(code, from)

      assert.equal([result.first, result.worst], [null, 'same'], `from #${from}`)
    }
  }))

test('R-4 changed machines differ where they should, with the paths of the context', () =>
  withDirectory(async (directory) => {
    const code = readCodeTree(
      patchMachines(directory, 'session.js', ['turn: context.turn + 1', 'turn: context.turn + 2']),
    )

    const result = await replay(code)

    assert.is(result.worst, 'context')
    assert.equal(result.diffs[0]?.paths, ['/turn'])
  }))

test('R-4 a stretch runs again in other code, and explores there', () =>
  withDirectory(async (directory) => {
    const code = readCodeTree(patchMachines(directory, 'delivery.js', ['!event.started', 'true']))
    const segment = traffic.segment(0, 12)
    const runner = await openRunner(house, code, segment)
    try {
      const control = await runner.rerun(segment, CONTROL)
      const { exploration, samples } = await runner.explore(segment, { budget: 50 })

      assert.ok(checkControl(segment, control).identical)
      assert.ok(exploration.violations.some(({ invariant }) => invariant === 'sent.twice'))
      assert.ok(samples.length > 0)
    } finally {
      await runner.close()
    }
  }))

test('R-5 recorded code runs by the id of each record; ours needs no process', () =>
  withDirectory(async (directory) => {
    const { files } = readCodeTree(patchMachines(directory, 'kinds.js', NOTHING))
    const asked: string[] = []
    const isOther = ({ position }: JournalRecord): boolean => position > 20 && position < 40
    const other = (record: JournalRecord): JournalRecord =>
      isOther(record) ? { ...record, code: 'aaaaaaaaaaaaaaaa' } : record
    const mixed = {
      ...history,
      *range(from: number, to: number) {
        for (const record of history.range(from, to)) yield other(record)
      },
    }
    const loadCode = (id: string) => {
      asked.push(id)
      return Promise.resolve({ files })
    }

    const result = await replayHistory({ ...house, loadCode }, mixed, {
      ...all,
      choice: 'recorded',
    })

    assert.equal([result.first, result.records], [null, (await replay('current')).records])
    assert.equal(asked, ['aaaaaaaaaaaaaaaa'])
    const own = await replay('recorded')
    assert.is(own.first, null)
  }))

test('R-5 code that is not stored is refused by its id', async () => {
  const mixed = {
    ...history,
    *range(from: number, to: number) {
      for (const record of history.range(from, to)) yield { ...record, code: 'bbbbbbbbbbbbbbbb' }
    },
  }

  const error = await faultOf(() => replayHistory(house, mixed, { ...all, choice: 'recorded' }))

  assert.is(error.code, 'NOT_FOUND')
  assert.match(error.message, 'bbbbbbbbbbbbbbbb')
})

test('R-5 a directory without machines is refused', () =>
  withDirectory(async (directory) => {
    const error = await faultOf(() => readCodeTree(directory))

    assert.is(error.code, 'NOT_FOUND')
  }))

test('R-6 imports that are not given are refused by name', () =>
  withDirectory(async (directory) => {
    const guests = {
      'node:fs': "import 'node:fs'",
      'node:net': "import { connect } from 'node:net'",
      'node:child_process': "import 'node:child_process'",
      'node:module': "import 'node:module'",
      lmdb: "import 'lmdb'",
      fs: "import 'fs'",
      'data:text/javascript,0': "import 'data:text/javascript,0'",
      '../../../outside.js': "import '../../../outside.js'",
    }
    for (const [name, line] of Object.entries(guests)) {
      const error = await faultOf(() =>
        openWith(join(directory, name.replaceAll(/\W/g, '_')), line),
      )

      assert.equal([error.code, error.message.includes(name)], ['FORBIDDEN', true], error.message)
    }
  }))

test('R-6 what a guest reaches for while it loads is refused by name', () =>
  withDirectory(async (directory) => {
    const guests = {
      fetch: "fetch('http://127.0.0.1:9')",
      WebSocket: "new WebSocket('ws://127.0.0.1:9')",
      'process.binding': "process.binding('fs')",
      'process.getBuiltinModule': "process.getBuiltinModule('fs')",
      'process.kill': 'process.kill(1)',
      'process.exit': 'process.exit(0)',
      require: "require('fs')",
      'node:fs': "await import('node:fs')",
    }
    for (const [name, line] of Object.entries(guests)) {
      const error = await faultOf(() =>
        openWith(join(directory, name.replaceAll(/\W/g, '_')), line),
      )

      assert.ok(error.message.includes(name), `${name}: ${error.message}`)
    }
  }))

test('R-6 eval, and a way back through a constructor, lead nowhere', () =>
  withDirectory(async (directory) => {
    const guests = [
      "eval('1')",
      "(() => {}).constructor('return process')()",
      'Object.getPrototypeOf(async () => {}).constructor(\'return import("node:fs")\')()',
    ]
    for (const [index, line] of guests.entries()) {
      const error = await faultOf(() => openWith(join(directory, String(index)), line))

      assert.match(error.message, 'Code generation from strings disallowed')
    }
  }))

test('R-6 a guest that writes files through anything it is given leaves none', () =>
  withDirectory(async (directory) => {
    const path = join(directory, 'left-behind')
    const lines = `
      import * as given from 'node:buffer'
      import * as coded from 'node:crypto'
      for (const name of ['Blob', 'File', 'resolveObjectURL']) if (name in given) throw new Error(name)
      for (const name of ['setEngine', 'randomBytes', 'webcrypto']) if (name in coded) throw new Error(name)
      try { process.binding('fs').open(${JSON.stringify(path)}, 66, 438) } catch {}`

    const host = (await openWith(join(directory, 'code'), lines)) as { close: () => Promise<void> }
    await host.close()

    assert.not(existsSync(path))
  }))

test('R-6 the real process is reached neither by a getter nor through an emitter', () =>
  withDirectory(async (directory) => {
    const tell = "throw new Error('got ' + Object.prototype.toString.call(got))"
    const emitter = `let at = createHash('sha256')
      while (!Object.hasOwn(at, 'emit') || Object.getPrototypeOf(at) !== Object.prototype) {
        at = Object.getPrototypeOf(at)
      }`
    const guests = [
      // Node looks there whether it is to warn.
      `import { Buffer } from 'node:buffer'
      let got
      Object.defineProperty(Object.prototype, 'noDeprecation', { get() { got = this } })
      new Buffer(3)
      ${tell}`,
      `import { createHash } from 'node:crypto'
      ${emitter}
      let got
      at.emit = function () { got = this }
      ${tell}`,
      `import { createHash } from 'node:crypto'
      ${emitter}
      let got
      Object.defineProperty(at, 'emit', { get() { got = this } })
      ${tell}`,
    ]
    for (const [index, lines] of guests.entries()) {
      const error = await faultOf(() => openWith(join(directory, String(index)), lines))

      assert.match(error.message, /not extensible|read only|Cannot redefine/)
    }
  }))

test('R-6 a guest that loops is killed when its time is up', () =>
  withDirectory(async (directory) => {
    const error = await faultOf(() => openWith(directory, 'for (;;);', 1_000))

    assert.is(error.code, 'TIMEOUT')
  }))

test('R-6 a guest that asks for the time while it steps is told with machine and action', () =>
  withDirectory(async (directory) => {
    const change = ['turn: context.turn + 1', 'turn: context.turn + Date.now()'] as const
    const code = readCodeTree(patchMachines(directory, 'session.js', change))

    const { diffs, worst } = await replay(code)

    assert.is(worst, 'ERROR')
    assert.match(diffs[0]?.now.error ?? '', 'machine session, action run.take: asked for now')
  }))

test('R-6 a link out of the tree is not followed', () =>
  withDirectory(async (directory) => {
    const outside = join(directory, 'outside.js')
    writeFileSync(outside, 'export const secret = 1')
    const tree = join(directory, 'tree')
    mkdirSync(tree)
    patchMachines(tree, 'kinds.js', [FIRST, `import './link.js'\n${FIRST}`])
    symlinkSync(outside, join(tree, 'dist', 'machines', 'link.js'))

    const error = await faultOf(() => openCodeHost(readCodeTree(tree), { clock: systemClock }))

    assert.is(error.code, 'NOT_FOUND')
    assert.match(error.message, 'link.js')
  }))

test('R-6 a guest that is no machine is refused', async () => {
  const files = { 'machines/kinds.js': 'export const kinds = 1', 'machines/step.js': '' }

  const error = await faultOf(() => openCodeHost(storedCode('c', files), { clock: systemClock }))

  assert.is(error.code, 'NOT_FOUND')
})

test.run()
