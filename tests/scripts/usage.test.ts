/**
 * How the command reads what people type: help, verbs, flags, and refusals that lead somewhere.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toGatewayError } from '../../protocol/errors.ts'
import { THINKING_LEVELS } from '../../protocol/methods.ts'
import { programName } from '../../scripts/exit.ts'
import { columns, formatSpan, plain, show, showJson, showText } from '../../scripts/output.ts'
import { readSettings } from '../../scripts/settings.ts'
import { findVerb, rootHelp, VERBS } from '../../scripts/verbs.ts'
import { cli } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'

const usage = suite('usage')

function refusalOf(run: () => unknown): string {
  try {
    run()
  } catch (thrown) {
    const { code, message } = toGatewayError(thrown)
    return `${code} ${message}`
  }
  return 'taken'
}

usage('V1 help names every verb, the environment and every exit code', async () => {
  await withDirectory(async (directory) => {
    const { code, stdout, stderr } = await cli(directory, ['--help'])

    assert.is(code, 0)
    assert.is(stderr, '')
    for (const verb of Object.keys(VERBS)) assert.match(stdout, new RegExp(`^  ${verb} `, 'm'))
    for (const exit of [0, 1, 2, 3, 10, 11, 12, 78])
      assert.match(stdout, new RegExp(`^ +${exit}  \\S`, 'm'))
    assert.match(stdout, /OPENCLAW_STATE_DIR/)
    assert.is((await cli(directory, [])).stdout, stdout)
  })
})

usage('V1 a word that only begins verbs has a help, which names them', async () => {
  await withDirectory(async (directory) => {
    for (const word of ['config', 'pairing', 'history']) {
      const { code, stdout, stderr } = await cli(directory, [word, '--help'])
      const verbs = Object.keys(VERBS).filter((name) => name.startsWith(`${word} `))

      assert.equal([code, stderr], [0, ''], word)
      for (const verb of verbs) assert.match(stdout, new RegExp(`^  ${verb} `, 'm'))
    }
    assert.is((await cli(directory, ['pairing'])).code, 2)
    assert.is((await cli(directory, ['nonsense', '--help'])).code, 2)
  })
})

usage('V2 each verb tells its flags', async () => {
  for (const { load } of Object.values(VERBS)) {
    const help = await (await load()).help()

    assert.match(help, /--json/)
  }
  const help = await (await VERBS['agent']!.load()).help()
  for (const level of THINKING_LEVELS) assert.match(help, level)
})

usage("V3 the version is the package's", async () => {
  await withDirectory(async (directory) => {
    const { stdout } = await cli(directory, ['--version'])

    assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
  })
})

usage('V4 what is not known is named with what is near, and exits with 2', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['helth'], /unknown verb "helth", did you mean health\?/],
    [['stop'], /did you mean gateway stop\?/],
    [['toString'], /unknown verb "toString"\n/],
    [['health', '--prob'], /unknown flag --prob, did you mean --probe\?/],
    [['health', '--probe=yes'], /--probe takes no value/],
    [['agent', 'hello'], /unexpected "hello"/],
    [['agent'], /--message is missing/],
    [['agent', '--message'], /--message needs a value/],
    [['agent', '--message', '--json'], /--message needs a value/],
    [
      ['agent', '--message', 'x', '--thinking', 'hihg'],
      /--thinking: expected off \| .* did you mean high\?/,
    ],
    [['logs', '--tail', '-1'], /--tail: expected a whole number/],
    [
      ['gateway', '--port', '70000'],
      /--port: expected a whole number from 0 to 65535, got "70000"/,
    ],
    [['gateway', '--port', '1', 'stop'], /unexpected "stop"/],
    [['--json'], /./],
  ]
  await withDirectory(async (directory) => {
    const ends = await Promise.all(cases.map(([args]) => cli(directory, args)))

    for (const [index, { code, stdout, stderr }] of ends.entries()) {
      const [args, pattern] = cases[index]!
      assert.is(code, 2, args.join(' '))
      assert.match(stderr + stdout, pattern)
      if (!args.includes('--json')) assert.match(stderr, /\nSee: .* --help\n$/)
    }
  })
})

usage('V5 with --json an error is one JSON document on stdout', async () => {
  await withDirectory(async (directory) => {
    const { code, stdout, stderr } = await cli(directory, ['helth', '--json'])

    const { ok, error } = JSON.parse(stdout) as { ok: boolean; error: { code: string } }
    assert.is(code, 2)
    assert.is(ok, false)
    assert.is(error.code, 'USAGE')
    assert.is(stderr, '')
  })
})

usage('V6 words are matched to the longest verb, flags may come first', () => {
  assert.is(findVerb(['gateway', 'stop', '--json']).name, 'gateway stop')
  assert.is(findVerb(['gateway', '--daemon']).name, 'gateway')
  assert.equal(findVerb(['--json', 'sessions', 'list', '--port', '1']).rest, [
    '--json',
    '--port',
    '1',
  ])
  assert.match(
    refusalOf(() => findVerb(['--json'])),
    /^USAGE a verb is missing/,
  )
  assert.match(rootHelp(), 'Usage: openclaw VERB')
})

usage('V7 a verb that needs the gateway says that none runs and where it looked', async () => {
  const verbs = [['health'], ['sessions'], ['agent', '--message', '-x'], ['gateway', 'stop']]
  const send = ['send', '--channel', 'irc', '--target', '#home', '--message', 'hello']
  await withDirectory(async (directory) => {
    const ends = await Promise.all([...verbs, send].map((args) => cli(directory, [...args])))

    for (const { code, stderr } of ends) {
      assert.is(code, 3)
      assert.match(stderr, /no gateway is running/)
      assert.match(stderr, `state in ${directory}`)
      assert.match(stderr, /\nStart it: .* gateway --daemon\n$/)
    }
    assert.match(ends[0]!.stderr, 'looked at ws://127.0.0.1:18789')
  })
})

usage(
  'V8 port and token come from flag, environment, configuration, default, in this order',
  async () => {
    await withDirectory(async (directory) => {
      const env = { OPENCLAW_STATE_DIR: directory, MY_TOKEN: 'from-variable' }
      assert.equal(await readSettings({}, env), {
        stateDir: directory,
        configPath: join(directory, 'openclaw.json'),
        host: '127.0.0.1',
        port: 18_789,
        portSource: 'default',
        token: null,
        password: null,
        tls: null,
      })
      const text =
        "{ gateway: { port: 4711, bind: '0.0.0.0', auth: { token: '${MY_TOKEN}' } } } // mine"
      writeFileSync(join(directory, 'openclaw.json'), text)

      const configured = await readSettings({}, env)
      const named = { ...env, OPENCLAW_GATEWAY_PORT: '4712', OPENCLAW_GATEWAY_TOKEN: 'from-env' }
      const fromEnv = await readSettings({}, named)
      const flagged = await readSettings({ port: '4713', token: 'from-flag' }, named)

      assert.equal(
        [configured.port, configured.token, configured.host],
        [4_711, 'from-variable', '127.0.0.1'],
      )
      assert.equal([fromEnv.port, fromEnv.token], [4_712, 'from-env'])
      assert.equal([flagged.port, flagged.token], [4_713, 'from-flag'])
    })
  },
)

usage(
  'V9 a configuration that cannot be read does not stop a verb, a wrong port does',
  async () => {
    await withDirectory(async (directory) => {
      const env = { OPENCLAW_STATE_DIR: directory }
      writeFileSync(join(directory, 'openclaw.json'), '{ gateway: { port: ')
      const elsewhere = join(directory, 'elsewhere')
      mkdirSync(elsewhere)

      assert.is((await readSettings({}, env)).port, 18_789)
      assert.is((await readSettings({}, { ...env, OPENCLAW_CONFIG_PATH: elsewhere })).port, 18_789)
      const wrong = await readSettings({}, { ...env, OPENCLAW_GATEWAY_PORT: '99999' }).catch(
        toGatewayError,
      )
      assert.is('code' in wrong ? wrong.code : '', 'CONFIG_INVALID')
    })
  },
)

usage('V10 what terminals obey is taken out, what people read stays', () => {
  assert.is(plain('a\u001b[31mred\u001b[0m b'), 'ared b')
  assert.is(plain('t\u001b]0;title\u0007x\u001b]8;;http://e\u001b\\link'), 'txlink')
  assert.is(plain('\u009b2Jgone\u009d0;t\u009c!'), 'gone!')
  assert.is(plain('bare \u001b esc, \b bell \u0007, \u202ebidi'), 'bare  esc,  bell , bidi')
  assert.is(
    plain('keeps\ttabs\nand lines, ünïcödé, 日本, 🙂'),
    'keeps\ttabs\nand lines, ünïcödé, 日本, 🙂',
  )
})

usage('V10 a line stays one line, and a JSON document holds no control', () => {
  const written: string[] = []
  const write = process.stdout.write.bind(process.stdout)
  process.stdout.write = (text) => written.push(String(text)) > 0
  try {
    show('a name\n #9 that passes for a line\u2028and another')
    showText('two\nlines')
    showJson({ name: 'x\u009b2J\u202ey' })
  } finally {
    process.stdout.write = write
  }

  assert.equal(written.slice(0, 2), [
    'a name  #9 that passes for a line and another\n',
    'two\nlines\n',
  ])
  assert.is(written[2], '{"name":"x\\u009b2J\\u202ey"}\n')
  assert.equal(JSON.parse(written[2] ?? ''), { name: 'x\u009b2J\u202ey' })
})

usage('V11 what we tell people to type fits how they called us', () => {
  assert.is(programName('/usr/bin/openclaw', {}), 'openclaw')
  assert.is(programName('/x/dist/scripts/openclaw.js', { npm_command: 'start' }), 'npx openclaw')
  assert.match(
    programName(join(process.cwd(), 'dist/scripts/openclaw.js'), {}),
    /^node dist\/scripts\/openclaw\.js$/,
  )
})

usage('V12 tables line up and spans are readable', () => {
  assert.equal(
    columns([
      ['a', 'bbb', 'c'],
      ['aaa', 'b', ''],
    ]),
    ['a    bbb  c', 'aaa  b'],
  )
  assert.equal([5, 65, 3_700, 90_000].map(formatSpan), ['5 s', '1 min', '1 h 1 min', '1 d 1 h'])
})

usage.run()
