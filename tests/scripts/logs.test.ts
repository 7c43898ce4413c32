/**
 * `openclaw logs`: filters, rotated files, a dead gateway, and lines that cannot be trusted.
 */
import { appendFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LOG_FILE } from '../../actors/log-file.ts'
import { LOG_LEVELS } from '../../actors/log.ts'
import { limits } from '../../protocol/limits.ts'
import { followLog, type LogPlace, readLog } from '../../scripts/log-reader.ts'
import { cli, startCli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'
import type { Ended } from '../support/process.ts'

const logs = suite('logs')

interface Line {
  readonly level?: string
  readonly msg?: string
  readonly [field: string]: unknown
}

function text(lines: readonly Line[]): string {
  const time = '2026-02-01T10:30:00.000Z'
  return lines.map((line) => `${JSON.stringify({ level: 'info', time, ...line })}\n`).join('')
}

async function withLogs(
  files: Readonly<Record<string, string>>,
  run: (
    call: (...args: string[]) => Promise<Ended>,
    directory: string,
    stateDir: string,
  ) => Promise<void>,
): Promise<void> {
  await withDirectory(async (stateDir) => {
    const directory = join(stateDir, 'logs')
    mkdirSync(directory)
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(directory, name), content)
    await run((...args) => cli(stateDir, ['logs', ...args]), directory, stateDir)
  })
}

/** Phrases of the shown lines, in order. */
function phrases({ stdout }: Ended): string[] {
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(/\s+/)[2] ?? '')
}

const ROTATED = {
  [`${LOG_FILE}.2`]: text([{ msg: 'one' }, { msg: 'two' }]),
  [`${LOG_FILE}.1`]: text([{ msg: 'three' }]),
  [LOG_FILE]: text([{ msg: 'four' }, { msg: 'five', level: 'error' }]),
}

logs('LV1 the newest lines come last, over rotated files, as many as asked for', async () => {
  await withLogs(ROTATED, async (call) => {
    assert.equal(phrases(await call()), ['one', 'two', 'three', 'four', 'five'])
    assert.equal(phrases(await call('--tail', '4')), ['two', 'three', 'four', 'five'])
    assert.equal(phrases(await call('--limit', '1')), ['five'])
    assert.equal(phrases(await call('--tail=0')), [])
  })
})

logs('LV2 --level is a minimum, and every level of the log is known', async () => {
  const lines = LOG_LEVELS.map((level) => ({ level, msg: level }))
  await withLogs({ [LOG_FILE]: text(lines) }, async (call) => {
    for (const [index, level] of LOG_LEVELS.entries()) {
      assert.equal(phrases(await call('--level', level)), LOG_LEVELS.slice(index))
    }
    assert.is((await call('--level', 'loud')).code, 2)
  })
})

logs('LV3 --session finds a session in any spelling of its key', async () => {
  const lines = [
    { msg: 'a', sessionKey: 'agent:main:whatsapp:direct:+86138000000' },
    { msg: 'b', stream: 'session:agent:main:whatsapp:direct:+86138000000' },
    { msg: 'c', sessionKey: 'agent:main:main' },
    { msg: 'd', text: 'agent:main:whatsapp:direct:+86138000000' },
    { msg: 'e' },
    { msg: 'f', sessionKey: 'agent:main:whatsapp:dm:+86138000000' },
  ]
  await withLogs({ [LOG_FILE]: text(lines) }, async (call) => {
    assert.equal(phrases(await call('--session', 'agent:main:whatsapp:dm:+86138000000')), [
      'a',
      'b',
      'f',
    ])
    assert.equal(phrases(await call('--session', 'Agent:Main:WhatsApp:direct:+86138000000')), [
      'a',
      'b',
      'f',
    ])
    assert.equal(phrases(await call('--session', 'main')), ['c'])
    assert.equal(phrases(await call('--session', 'agent:main')), ['c'])
    assert.equal(phrases(await call('--session', 'main', '--level', 'error')), [])
  })
})

logs('LV4 one entry is one line, and none of it is obeyed by a terminal', async () => {
  const evil = {
    msg: 'a\u001b[2Jb\u009b31m',
    reason: 'x\ny\u001b]0;t\u0007',
    nested: { deep: '\u202e' },
  }
  await withLogs({ [LOG_FILE]: text([evil]) }, async (call) => {
    const { stdout } = await call()

    assert.is(stdout, '2026-02-01T10:30:00.000Z info  ab reason=x\\ny nested={"deep":""}\n')
  })
})

logs('LV5 a line cut by a crash is shown as it is', async () => {
  await withLogs(
    { [LOG_FILE]: `${text([{ msg: 'whole' }])}{"level":"info","ms\n` },
    async (call) => {
      const { code, stdout } = await call()

      assert.is(code, 0)
      assert.match(stdout, /whole\n\{"level":"info","ms\n$/)
    },
  )
})

logs('LV6 without any log, or any match, it says where it looked and exits with 0', async () => {
  await withDirectory(async (stateDir) => {
    const { code, stdout, stderr } = await cli(stateDir, ['logs'])

    assert.is(code, 0)
    assert.is(stdout, '')
    assert.match(stderr, join(stateDir, 'logs'))
  })
})

logs('LV7 --json is one document of the entries as written', async () => {
  await withLogs(ROTATED, async (call) => {
    const entries = JSON.parse((await call('--json', '--tail', '2')).stdout) as Line[]

    assert.equal(
      entries.map(({ msg, level }) => [msg, level]),
      [
        ['four', 'info'],
        ['five', 'error'],
      ],
    )
  })
})

logs('LV8 --follow shows what is written from now on, across a rotation', async () => {
  await withLogs(ROTATED, async (_call, directory, stateDir) => {
    const path = join(directory, LOG_FILE)
    const follower = startCli(stateDir, ['logs', '--follow', '--tail', '1'])
    await follower.says(/five/)
    appendFileSync(path, text([{ msg: 'six' }]))
    await follower.says(/six/)

    appendFileSync(path, text([{ msg: 'seven' }]))
    renameSync(`${path}.1`, `${path}.2`)
    renameSync(path, `${path}.1`)
    writeFileSync(path, text([{ msg: 'eight' }]))
    const half = text([{ msg: 'nine' }])
    appendFileSync(path, half.slice(0, 20))
    await follower.says(/eight/)
    appendFileSync(path, half.slice(20))
    await follower.says(/nine/)

    follower.child.kill('SIGINT')
    const ended = await follower.ended
    assert.is(ended.code, 0)
    assert.equal(phrases(ended), ['five', 'six', 'seven', 'eight', 'nine'])
  })
})

logs('LV9 filters by connection, run and channel, as a field or as the stream', async () => {
  const lines = [
    { msg: 'a', connectionId: 'c1' },
    { msg: 'b', stream: 'connection:c1' },
    { msg: 'c', runId: 'r1' },
    { msg: 'd', stream: 'run:r1' },
    { msg: 'e', channel: 'irc' },
    { msg: 'f', stream: 'channel:irc', level: 'warn' },
    { msg: 'g', connectionId: 'c11', runId: 'r', channel: 'ir' },
  ]
  await withLogs({ [LOG_FILE]: text(lines) }, async (call) => {
    assert.equal(phrases(await call('--connection', 'c1')), ['a', 'b'])
    assert.equal(phrases(await call('--run', 'r1')), ['c', 'd'])
    assert.equal(phrases(await call('--channel', 'irc')), ['e', 'f'])
    assert.equal(phrases(await call('--channel', 'irc', '--level', 'warn')), ['f'])
    assert.equal(phrases(await call('--channel', 'telegram')), [])
  })
})

logs('LV10 --since and --until take times and positions, both included', async () => {
  const lines = [
    { msg: 'a', time: '2026-02-01T10:29:00.000Z', position: 7 },
    { msg: 'b', time: '2026-02-01T10:30:00.000Z', position: 8 },
    { msg: 'c', time: '2026-02-01T10:31:00.000Z', position: 12 },
    { msg: 'd', time: undefined },
  ]
  await withLogs({ [LOG_FILE]: text(lines) }, async (call) => {
    const [early, late] = ['2026-02-01T10:30Z', '2026-02-01T10:31Z']
    assert.equal(phrases(await call('--since', early)), ['b', 'c'])
    assert.equal(phrases(await call('--since', early, '--until', early)), ['b'])
    assert.equal(phrases(await call('--until', late)), ['a', 'b', 'c'])
    assert.equal(phrases(await call('--since', '#8', '--until', '11')), ['b'])
    assert.is((await call('--since', 'teatime')).code, 2)
    assert.is((await call('--until', 'head')).code, 2)
  })
})

logs(
  'LV11 --follow over two rotations between two looks, and over more than are kept',
  async () => {
    await withDirectory(async (directory) => {
      const path = join(directory, LOG_FILE)
      const none = { level: null, session: null, connection: null, run: null, channel: null }
      const filter = { ...none, since: null, until: null }
      writeFileSync(path, text([{ msg: 'one' }]))
      const { place } = await readLog(directory, filter, 1)
      const rotate = (msg: string): void => {
        for (let age = limits.logFilesMax - 1; age > 0; age -= 1) {
          const younger = age === 1 ? path : `${path}.${age - 1}`
          if (existsSync(younger)) renameSync(younger, `${path}.${age}`)
        }
        writeFileSync(path, text([{ msg }]))
      }
      const take = async (from: LogPlace, count: number): Promise<unknown[]> => {
        const stop = new AbortController()
        const taken: unknown[] = []
        for await (const { msg } of followLog(directory, filter, from, stop.signal)) {
          taken.push(msg)
          if (taken.length === count) stop.abort()
        }
        return taken
      }

      appendFileSync(path, text([{ msg: 'two' }]))
      rotate('three')
      rotate('four')
      const over = await take(place, 3)
      for (let n = 0; n < limits.logFilesMax; n += 1) rotate(`later ${n}`)
      const [first] = await take(place, limits.logFilesMax + 1)

      assert.equal(over, ['two', 'three', 'four'])
      assert.is(first, 'log lines were rotated away before they were read')
    })
  },
)

logs.run()
