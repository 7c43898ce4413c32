/**
 * `openclaw doctor`: no findings on a fresh machine, and a name for each thing that can be wrong.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Finding } from '../../scripts/checks/finding.ts'
import { checkNode } from '../../scripts/checks/house.ts'
import { makeCertificate } from '../support/certificate.ts'
import { cli, startStandInGateway } from '../support/cli.ts'
import { withDirectory } from '../support/directory.ts'

const doctor = suite('doctor')

interface Report {
  readonly ok: boolean
  readonly checks: readonly Finding[]
}

async function examine(
  stateDir: string,
  port: number,
  env = {},
): Promise<{ code: number | null; report: Report }> {
  const { code, stdout } = await cli(stateDir, ['doctor', '--json', '--port', String(port)], env)
  return { code, report: JSON.parse(stdout) as Report }
}

/** What is not well, as `name: says`. */
function findings({ checks }: Report): string[] {
  return checks.filter(({ state }) => state !== 'ok').map(({ name, says }) => `${name}: ${says}`)
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

doctor('H18 a workspace that is not there is found before a tool needs it', async () => {
  await withDirectory(async (stateDir) => {
    const workspace = join(stateDir, 'work')
    const config = JSON.stringify({ agents: { defaults: { workspace } } })
    writeFileSync(join(stateDir, 'openclaw.json'), config, { mode: 0o600 })
    const { report } = await examine(stateDir, 0)
    mkdirSync(workspace, { mode: 0o700 })
    const made = await examine(stateDir, 0)

    const says = `workspace: agents.defaults.workspace: ${workspace} is no folder: read, write and exec fail`
    assert.equal(findings(report), [says])
    assert.equal(findings(made.report), [])
  })
})

doctor('AL9 P40 a webhook that is never gone to is found before it is needed', async () => {
  await withDirectory(async (stateDir) => {
    const write = (more: object): void => {
      const alerts = { webhook: 'https://127.0.0.1/canary', webhookSecret: 's'.repeat(16), ...more }
      const config = JSON.stringify({ gateway: { alerts } })
      writeFileSync(join(stateDir, 'openclaw.json'), config, { mode: 0o600 })
    }
    write({})
    const { report } = await examine(stateDir, 0)
    write({ webhookAllowPrivate: true })
    const allowed = await examine(stateDir, 0)

    const says = 'alerts: nobody will be told: webhook: 127.0.0.1 is a private address'
    assert.equal(findings(report), [says])
    assert.not.match(JSON.stringify(report), 'canary')
    assert.equal(findings(allowed.report), [])
  })
})

doctor('S52 S58 a certificate is judged, its key is not for everybody', async () => {
  await withDirectory(async (stateDir) => {
    const write = (days: number): void => {
      const { cert, key } = makeCertificate({ fromDays: days - 2, toDays: days })
      writeFileSync(join(stateDir, 'c.pem'), cert, { mode: 0o600 })
      writeFileSync(join(stateDir, 'k.pem'), key, { mode: 0o600 })
    }
    const gateway = { bind: '0.0.0.0', auth: { token: 'a-token-of-some-length' } }
    const tls = { cert: 'c.pem', key: 'k.pem' }
    const config = JSON.stringify({ gateway: { ...gateway, tls } })
    writeFileSync(join(stateDir, 'openclaw.json'), config, { mode: 0o600 })
    const certificateOf = ({ checks }: Report): string[] =>
      checks
        .filter(({ name }) => name === 'certificate')
        .map(({ state, says }) => `${state} ${says}`)
    write(1)
    const good = await examine(stateDir, 0)
    chmodSync(join(stateDir, 'k.pem'), 0o644)
    const wide = await examine(stateDir, 0)
    write(-1)
    const old = await examine(stateDir, 0)

    assert.equal(findings(good.report), [])
    assert.match(certificateOf(wide.report).join(), /^warn every user may read its key: /)
    assert.match(certificateOf(old.report).join(), /^fail gateway\.tls\.cert: expired on /)
  })
})

doctor('H1 a fresh machine has no findings', async () => {
  await withDirectory(async (directory) => {
    const { code, report } = await examine(join(directory, 'state'), 0)

    assert.is(code, 0)
    assert.is(report.ok, true)
    assert.equal(
      report.checks.map(({ name }) => name),
      [
        'node',
        'state directory',
        'file modes',
        'leftovers',
        'configuration',
        'disk',
        'port',
        'gateway',
        'journal',
        'clock',
        'keys',
        'archives',
        'backups',
        'model echo',
      ],
    )
  })
})

doctor('H2 a syntax error is named with file, line and column', async () => {
  await withDirectory(async (stateDir) => {
    const path = join(stateDir, 'openclaw.json')
    writeFileSync(path, '{\n  gateway: { port: ] }\n}', { mode: 0o600 })

    const { code, report } = await examine(stateDir, 0)

    assert.is(code, 1)
    assert.is(findings(report).length, 1)
    assert.match(findings(report)[0]!, `configuration: ${path}:2:20`)
  })
})

doctor('H3 every wrong key, every key without effect, every open file is a finding', async () => {
  await withDirectory(async (stateDir) => {
    const path = join(stateDir, 'openclaw.json')
    writeFileSync(path, '{ gateway: { prot: 1, port: "x" } }', { mode: 0o644 })
    const wrong = findings((await examine(stateDir, 0)).report)
    writeFileSync(path, '{ plugins: {} }')
    chmodSync(path, 0o600)
    const unsupported = findings((await examine(stateDir, 0)).report)

    assert.match(wrong.join('\n'), `file modes: open to other users: ${path}`)
    assert.match(wrong.join('\n'), /gateway\.prot/)
    assert.match(wrong.join('\n'), /gateway\.port/)
    assert.equal(unsupported, [
      'configuration: plugins is accepted, but this version does not act on it',
    ])
  })
})

doctor(
  'TP5 rules of an agent that no message is for are a finding; those of main are none',
  async () => {
    await withDirectory(async (stateDir) => {
      const path = join(stateDir, 'openclaw.json')
      const agents = {
        list: [
          { id: 'main', tools: {} },
          { id: 'home', tools: { deny: ['exec'] } },
        ],
      }
      writeFileSync(path, JSON.stringify({ agents }), { mode: 0o600 })

      const found = findings((await examine(stateDir, 0)).report)

      assert.is(found.length, 1)
      assert.match(found[0]!, 'agents.list[1].tools holds for sessions of agent:home only')
    })
  },
)

doctor('TP7 a rule of tools that matches nothing is a finding', async () => {
  await withDirectory(async (stateDir) => {
    const tools = { deny: ['group:fs', 'apply_patch'] }
    writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify({ tools }), { mode: 0o600 })

    const found = findings((await examine(stateDir, 0)).report)

    assert.is(found.length, 1)
    assert.match(found[0]!, 'tools.deny: "apply_patch" matches no tool')
  })
})

doctor('H4 a taken port names who has it', async () => {
  const server = createServer()
  const port = await listen(server)
  await withDirectory(async (stateDir) => {
    const { code, report } = await examine(stateDir, port)

    assert.is(code, 1)
    assert.match(findings(report).join(), `port: ${port} is taken by process ${process.pid} (`)
  })
  server.close()
})

doctor('H5 a provider that is silent, refuses the key, or is well', async () => {
  let status = 200
  const server = createServer((_request, response) => {
    response.writeHead(status).end('{}')
  })
  const port = await listen(server)
  await withDirectory(async (stateDir) => {
    const config = {
      models: { providers: { home: { baseUrl: `http://127.0.0.1:${port}/v1`, apiKey: 'k' } } },
      agents: { defaults: { model: { primary: 'home/llama', fallbacks: ['openai/gpt-5'] } } },
    }
    writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify(config), { mode: 0o600 })

    const well = findings((await examine(stateDir, 0)).report)
    status = 401
    const refused = findings((await examine(stateDir, 0)).report)
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
    const silent = findings((await examine(stateDir, 0)).report)

    const noKey = 'model openai/gpt-5: OPENAI_API_KEY is not set'
    assert.equal(well, [noKey])
    assert.match(refused[0]!, /^model home\/llama: .* answers \(HTTP 401\)$/)
    assert.match(silent[0]!, /^model home\/llama: .* does not answer: .*ECONNREFUSED/)
  })
})

doctor('H6 a running gateway is ours, its channels are looked at', async () => {
  await withDirectory(async (stateDir) => {
    const gateway = startStandInGateway(stateDir, ['--port', '0'])
    await gateway.says(/ready at/)
    const { code, stdout } = await cli(stateDir, ['doctor'])

    assert.is(code, 0, stdout)
    assert.match(stdout, `is ours (process ${gateway.pid})`)
    assert.match(stdout, /ok {4}gateway: running and ready/)
    assert.match(stdout, /ok {4}channel irc: connected/)
    assert.match(stdout, /\nno findings\n$/)
    gateway.child.kill('SIGKILL')
    await gateway.ended
  })
})

doctor('H7 S54 a journal that cannot be verified is a finding', async () => {
  await withDirectory(async (stateDir) => {
    mkdirSync(join(stateDir, 'journal'), { mode: 0o700 })
    writeFileSync(join(stateDir, 'journal', 'journal.mdb'), 'no journal', { mode: 0o600 })

    const { code, report } = await examine(stateDir, 0)

    assert.is(code, 1)
    assert.match(findings(report).join(), /^journal: /)
  })
})

doctor('H8 a Node that is too old is refused, the oldest that works is not', () => {
  assert.is(checkNode('20.18.9').state, 'fail')
  assert.is(checkNode('18.20.0').state, 'fail')
  assert.is(checkNode('20.19.0').state, 'ok')
  assert.is(checkNode('24.0.0').state, 'ok')
})

doctor.run()
