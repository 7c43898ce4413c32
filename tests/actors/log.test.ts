/**
 * The log: lines that are safe to show, bounded on disk, and never a reason for a fault.
 */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type GatewayLog, type LogOptions, openLog } from '../../actors/log.ts'
import { systemClock } from '../../actors/services.ts'
import { limits } from '../../protocol/limits.ts'
import { openFakeClock } from '../support/clock.ts'
import { withDirectory } from '../support/directory.ts'

const log = suite('log')

type Line = Readonly<Record<string, unknown>>

async function withLog(
  run: (opened: GatewayLog, lines: () => Line[], directory: string) => void | Promise<void>,
  options: Partial<LogOptions> = {},
): Promise<void> {
  await withDirectory(async (parent) => {
    const directory = join(parent, 'logs')
    const clock = { ...systemClock, now: () => Date.UTC(2026, 1, 1) }
    const opened = openLog({ directory, clock, ...options })
    await run(opened, () => linesOf(opened), directory)
    opened.close()
  })
}

function linesOf(opened: GatewayLog): Line[] {
  opened.flush()
  const text = readFileSync(opened.path, 'utf8')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)
}

log('L1 a line is one JSON object with level, time, phrase and fields', async () => {
  await withLog((opened, lines) => {
    opened.warn('websocket refused', { code: 'UNAUTHORIZED', address: '10.0.0.7' })

    assert.equal(lines(), [
      {
        level: 'warn',
        time: '2026-02-01T00:00:00.000Z',
        code: 'UNAUTHORIZED',
        address: '10.0.0.7',
        msg: 'websocket refused',
      },
    ])
  })
})

log('L2 the file is for its owner only, also where it was there before', async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, 'gateway.jsonl')
    writeFileSync(path, '', { mode: 0o644 })
    const opened = openLog({ directory: join(directory, 'new'), clock: systemClock })
    const again = openLog({ directory, clock: systemClock })

    opened.error('one')
    again.error('two')

    assert.is(statSync(join(directory, 'new')).mode & 0o777, 0o700)
    assert.is(statSync(opened.path).mode & 0o777, 0o600)
    assert.is(statSync(again.path).mode & 0o777, 0o600)
    opened.close()
    again.close()
  })
})

log('L3 secrets are hidden wherever they stand, counts are not', async () => {
  await withLog((opened, lines, directory) => {
    opened.info('connected', {
      token: 's3cret-1',
      auth: { deviceToken: 's3cret-2', password: 's3cret-3', nested: [{ apiKey: 's3cret-4' }] },
      headers: { Authorization: 'Bearer s3cret-5', 'x-api-key': 's3cret-6' },
      bot_token: ['s3cret-7'],
      client_secret: { value: 's3cret-8' },
      reason: 'sent Authorization: Bearer s3cret-9 and was refused',
      password: 12_345_678,
      inputTokens: 12,
      tokenPresent: true,
      sessionKey: 'agent:main:main',
    })

    const [line] = lines()
    const text = readFileSync(join(directory, 'gateway.jsonl'), 'utf8')
    assert.not.match(text, /s3cret|12345678/)
    assert.is(line?.['inputTokens'], 12)
    assert.is(line?.['tokenPresent'], true)
    assert.is(line?.['sessionKey'], 'agent:main:main')
  })
})

log('L4 terminal escapes and text direction marks reach no terminal', async () => {
  const shown: string[] = []
  const people = { level: 'debug', write: (line: string) => void shown.push(line) } as const
  await withLog(
    (opened, lines, directory) => {
      const evil = 'a\u001b[31mb\u009b2Jc\nd\u202ee\u2028f\u007f'
      opened.info(`phrase ${evil}`, { evil, [`key${evil}`]: 1 })
      opened.flush()

      const text = readFileSync(join(directory, 'gateway.jsonl'), 'utf8')
      // eslint-disable-next-line no-control-regex -- they are what is looked for
      const raw = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/
      assert.not.match(text, raw)
      assert.not.match(shown.join(''), raw)
      assert.is(shown.join('').split('\n').length, 2, 'one line for people')
      assert.is(lines()[0]?.['evil'], evil, 'and nothing of it is lost')
    },
    { people },
  )
})

log('L5 a line is bounded, and says what it left out', async () => {
  await withLog((opened, lines) => {
    const many = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, index) => [`k${index}`, index]),
    )
    opened.info('big', {
      text: 'x'.repeat(1_000_000),
      list: Array.from({ length: 1_000 }, () => 'y'.repeat(1_000)),
      many,
      bytes: new Uint8Array(1_000_000),
    })

    const [line] = lines()
    assert.ok(JSON.stringify(line).length < 4 * limits.logLineCharsMax)
    assert.match(String(line?.['text']), /^x{256}\[999744 more characters\]$/)
    assert.is(line?.['bytes'], '[1000000 bytes]')
  })
})

log('S46 P27 one field is cut to 256 characters, a stack is not', async () => {
  await withLog((opened, lines) => {
    const error = new Error('x'.repeat(5_000))
    opened.warn('refused', { agent: 'a'.repeat(15_000), nested: { ['k'.repeat(900)]: 1 }, error })

    const [line] = lines()
    const fault = line?.['error'] as { message: string; stack: string }
    assert.match(String(line?.['agent']), /^a{256}\[14744 more characters\]$/)
    assert.ok(fault.message.length < 300 && fault.stack.length > 1_000)
    assert.ok(JSON.stringify(line?.['nested']).length < 320)
  })
})

log('L6 whatever is handed in, the caller goes on', async () => {
  await withLog((opened, lines) => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    const trap = {
      get boom(): never {
        throw new Error('trap')
      },
    }
    const fault = new Error('outer', { cause: new Error('inner') })

    opened.info('odd', { cycle, trap, big: 1n, nan: Number.NaN, fn: () => 1, sym: Symbol('s') })
    opened.info('fields that pass for the line', { level: 'error', time: 'never', msg: 'no' })
    opened.info('fault', { fault })
    opened.info('nothing', undefined)

    const [odd, passing, failed] = lines()
    assert.equal(odd?.['trap'], { boom: '[unreadable]' })
    assert.is(odd?.['big'], '1')
    assert.is(passing?.['level'], 'info')
    assert.is(passing?.['level_'], 'error')
    assert.match(JSON.stringify(failed?.['fault']), /"message":"outer".*"message":"inner"/)
    assert.is(lines().length, 4)
  })
})

log(
  'L7 an error is on disk when the call returns, other lines at the end of the turn',
  async () => {
    await withDirectory(async (directory) => {
      const opened = openLog({ directory, clock: systemClock })
      opened.info('first')
      const before = readdirSync(directory).length

      opened.error('second')

      const text = readFileSync(opened.path, 'utf8')
      assert.is(before, 0)
      assert.match(text, /first.*\n.*second/)
      opened.info('third')
      await new Promise((resolve) => setImmediate(resolve))
      assert.match(readFileSync(opened.path, 'utf8'), /third/)
      opened.close()
    })
  },
)

log('L8 levels below the chosen one are kept out, of the file and of the terminal', async () => {
  const shown: string[] = []
  const people = { level: 'warn', write: (line: string) => void shown.push(line) } as const
  await withLog(
    (opened, lines) => {
      opened.debug('one')
      opened.info('two')
      opened.warn('three', { reason: 'two words' })

      assert.equal(
        lines().map(({ msg }) => msg),
        ['two', 'three'],
      )
      assert.equal(shown, ['00:00:00.000 warn  three reason="two words"\n'])
    },
    { people },
  )
})

log('L9 files rotate by size and their number is bounded', async () => {
  await withLog((opened, _lines, directory) => {
    const text = Array.from({ length: 16 }, () => 'z'.repeat(250))
    const perFile = Math.ceil(limits.logFileBytesMax / 4_000)
    const name = (index: number) => `line ${String(index).padStart(6, '0')}`

    const count = perFile * (limits.logFilesMax + 2)
    for (let index = 0; index < count; index += 1) {
      opened.info(name(index), { text })
      if (index % 100 === 0) opened.flush()
    }
    opened.flush()

    const files = readdirSync(directory)
    assert.is(files.length, limits.logFilesMax)
    for (const file of files)
      assert.ok(statSync(join(directory, file)).size <= limits.logFileBytesMax)
    assert.match(readFileSync(opened.path, 'utf8').slice(-100), name(count - 1))
    const newest = readFileSync(opened.path, 'utf8').split('\n')[0] ?? ''
    const first = Number(/line (\d+)/.exec(newest)?.[1])
    const older = readFileSync(`${opened.path}.1`, 'utf8')
    assert.match(older.slice(-200), name(first - 1))
  })
})

log('L10 lines that could not be written are counted, not hidden', async () => {
  await withDirectory(async (parent) => {
    const directory = join(parent, 'logs')
    writeFileSync(directory, 'a file stands where the directory should be')
    const opened = openLog({ directory, clock: systemClock })
    opened.error('lost 1')
    opened.error('lost 2')

    rmSync(directory)
    mkdirSync(directory)
    chmodSync(directory, 0o700)
    opened.error('kept')

    const [first, second] = linesOf(opened)
    assert.is(first?.['lines'], 2)
    assert.is(second?.['msg'], 'kept')
    opened.close()
  })
})

const same = (lines: readonly Line[], phrase: string): Line[] =>
  lines.filter(({ msg, line }) => msg === phrase || line === phrase)

log('L20 a line that repeats is written a few times, and then counted in one line', async () => {
  const clock = openFakeClock()
  await withLog(
    async (opened, lines) => {
      const count = limits.logRepeatsMax + 37
      for (let n = 0; n < count; n += 1) opened.warn('refused', { address: 'a', position: n })
      opened.warn('refused', { address: 'b' })
      const before = same(lines(), 'refused')
      await clock.advance(limits.logRepeatMs)
      const after = same(lines(), 'refused')

      assert.is(before.length, limits.logRepeatsMax + 1, 'another address is another line')
      const { msg, level, line, lines: left, address } = after.at(-1) ?? {}
      assert.equal([msg, level, line, left, address], ['line repeated', 'warn', 'refused', 37, 'a'])
      opened.warn('refused', { address: 'a' })
      assert.is(same(lines(), 'refused').at(-1)?.['msg'], 'refused', 'then it begins anew')
    },
    { clock },
  )
})

log(
  'L20 what was counted is told at the end, and of many different lines none is lost',
  async () => {
    await withDirectory(async (directory) => {
      const opened = openLog({ directory, clock: openFakeClock() })
      for (let n = 0; n <= limits.logRepeatsMax + 1; n += 1) opened.info('again')
      for (let n = 0; n <= limits.logRepeatsTracked; n += 1) opened.info('different', { n })
      opened.flush()
      const evicted = same(linesOf(opened), 'again').at(-1)
      for (let n = 0; n <= limits.logRepeatsMax; n += 1) opened.info('last')
      opened.close()
      const text = readFileSync(opened.path, 'utf8')

      assert.equal([evicted?.['msg'], evicted?.['lines']], ['line repeated', 2])
      assert.match(text, /"line":"last","lines":1,"msg":"line repeated"\}\n$/)
    })
  },
)

log('L20 lines of what happened are all written: each is of another record', async () => {
  await withLog((opened, lines) => {
    const count = limits.logRepeatsMax * 3
    for (let position = 1; position <= count; position += 1) opened.info('received', { position })

    assert.is(same(lines(), 'received').length, count)
  })
})

log('L21 a line about an effect or its cause carries the position of the record', async () => {
  await withLog((opened, lines) => {
    opened.info('one', { effect: '1838.e0' })
    opened.info('two', { cause: '7.s1' })
    opened.info('three', { cause: 'ext:irc:7.s1', effect: 'x' })
    opened.info('four', { position: 3, cause: '7.s1' })

    assert.equal(
      lines().map(({ position }) => position),
      [1838, 7, undefined, 3],
    )
  })
})

log.run()
