/**
 * Upstream's dialect on one connection. Step 3 of 8, and its end of step 8.
 *
 * The first request must be `connect`, with a device that has signed this socket's challenge, or
 * from right here with the shared secret. Notices carry a `seq` without gaps from 1 on.
 */
import { allows } from '../../protocol/auth/scopes.ts'
import {
  parseUpstreamConnect,
  type Protocol,
  PROTOCOL_MAX,
  type UpstreamConnect,
} from '../../protocol/dialect/upstream/connect.ts'
import { UPSTREAM_EVENTS, type UpstreamEvent } from '../../protocol/dialect/upstream/events.ts'
import { formatRefusal, formatUpstreamFault } from '../../protocol/dialect/upstream/faults.ts'
import { GatewayError } from '../../protocol/errors.ts'
import { formatFrame, type RequestFrame, type ResponseFrame } from '../../protocol/frame.ts'
import type { NodeFacts } from '../../machines/connection.ts'
import { cutText } from '../../protocol/ids.ts'
import type { NodeRequest } from '../nodes.ts'
import type { Caller } from '../caller.ts'
import type { Admitted, Goodbye, Line, Opening, Speech } from '../speech.ts'
import type { UpstreamDesk } from './desk.ts'
import type { Listener, StateVersion } from './feed.ts'
import { type Following, openFollowing } from './following.ts'

const CLOSE_REASON_BYTES = 120

// What clients say that show commands to a person; others only pass.
const APPROVAL_CAPS: ReadonlySet<string> = new Set(['approvals', 'exec-approvals'])

export class UpstreamSpeech implements Speech, Listener {
  readonly challenges = false
  readonly connectionId: string
  readonly following: Following = openFollowing()
  #line: Line
  #desk: UpstreamDesk
  #asked: UpstreamConnect | null = null
  #caller: Caller | null = null
  #seq = 0

  constructor(line: Line, desk: UpstreamDesk) {
    this.#line = line
    this.#desk = desk
    this.connectionId = line.id
  }

  get protocol(): Protocol {
    return this.#asked?.protocol ?? PROTOCOL_MAX
  }

  opening({ method, params }: RequestFrame): Opening {
    if (method !== 'connect') {
      const text = 'invalid handshake: first request must be connect'
      throw new GatewayError('INVALID_REQUEST', text)
    }
    this.#asked = parseUpstreamConnect(params)
    const { keyless, signed } = this.#asked
    return {
      params: this.#asked.params,
      proof: { keyless, signed },
      node: this.#nodeOf(this.#asked),
    }
  }

  #nodeOf({ role, client }: UpstreamConnect): NodeFacts | null {
    if (role !== 'node') return null
    const { caps, commands, platform, version, displayName = client.id, id: clientId } = client
    const surface = { caps: [...caps], commands: [...commands] }
    const words = { displayName: cutText(displayName), platform, version, clientId }
    return { requestId: this.#desk.makeId(), ...words, surface }
  }

  refuse(id: string, error: GatewayError): Goodbye {
    const { frame, reason } = formatRefusal(id, error, this.#asking())
    const code = error.details['code'] === 'PROTOCOL_MISMATCH' ? 1002 : 1008
    return { frame, code, reason: cutBytes(reason) }
  }

  fault(id: string, error: GatewayError): ResponseFrame {
    return formatUpstreamFault(id === '' ? 'invalid' : id, error, this.protocol)
  }

  join({ caller, admission }: Admitted): Promise<void> {
    this.#caller = caller
    this.#desk.feed.add(this)
    const asked = this.#asked
    if (asked === null) return Promise.resolve()
    const { client, role, keyless } = asked
    const deviceId = keyless ? null : admission.deviceId
    if (role === 'node') this.#desk.nodes.attach(this.connectionId, (asked) => this.#ask(asked))
    this.#desk.enter(this.connectionId, { deviceId, client, role, scopes: admission.scopes })
    return Promise.resolve()
  }

  leave(): void {
    this.#desk.feed.remove(this.connectionId)
    this.#desk.leave(this.connectionId)
    this.#desk.nodes.detach(this.connectionId)
  }

  hello(admitted: Admitted): unknown {
    return this.#desk.hello({ ...admitted, connectionId: this.connectionId, asked: this.#asked })
  }

  greeted(): void {
    const desk = this.#desk
    this.tell('health', JSON.stringify(desk.health()), desk.feed.version)
  }

  isOwnId(): boolean {
    return true
  }

  async serve(frame: RequestFrame, caller: Caller, cause: string): Promise<unknown> {
    const asked = this.#asked
    if (frame.method === undefined || asked === null) {
      const text = "invalid request frame: must have required property 'method'"
      throw new GatewayError('INVALID_REQUEST', text)
    }
    if (frame.method === 'connect') {
      throw new GatewayError('INVALID_REQUEST', 'connect is only valid as the first request')
    }
    const { client, protocol } = asked
    return this.#desk.serve({ method: frame.method, params: frame.params }, caller, {
      connectionId: this.connectionId,
      following: this.following,
      client,
      protocol,
      peer: this.#line.peer,
      cause,
      accept: (payload) => this.#line.answer(frame.id, payload),
    })
  }

  hears(event: UpstreamEvent): boolean {
    const scope = UPSTREAM_EVENTS[event]
    if (scope === null) return true
    const { scopes = [] } = this.#caller?.admission ?? {}
    return allows(scopes, scope)
  }

  approves(): boolean {
    const client = this.#asked?.client
    if (client === undefined || !this.hears('exec.approval.requested')) return false
    const { mode, caps } = client
    return mode === 'ui' || mode === 'webchat' || caps.some((cap) => APPROVAL_CAPS.has(cap))
  }

  // Protocol 3 has no `session.tool`: its clients are told all as `agent`.
  get toolEvents(): 'all' | 'own' | 'none' {
    if (this.protocol === 3) return 'all'
    return this.#asked?.client.caps.includes('tool-events') === true ? 'own' : 'none'
  }

  follows(sessionKey: string | null): boolean {
    return this.following.has(sessionKey)
  }

  tell(event: UpstreamEvent, payloadJson: string, version?: StateVersion): void {
    if (!this.#line.isOpen()) return
    this.#seq += 1
    const more = version === undefined ? '' : `,"stateVersion":${JSON.stringify(version)}`
    this.#line.write(
      `{"type":"event","event":"${event}","payload":${payloadJson},"seq":${this.#seq}${more}}`,
    )
  }

  // Told to this node alone, so it counts in no sequence.
  #ask({ id, nodeId, command, paramsJson: paramsJSON, timeoutMs }: NodeRequest): void {
    const payload = { id, nodeId, command, paramsJSON, timeoutMs, idempotencyKey: id }
    const event = 'node.invoke.request'
    if (this.#line.isOpen()) this.#line.write(formatFrame({ type: 'event', event, payload }))
  }

  #asking() {
    if (this.#asked === null) return null
    const { role, signed, params } = this.#asked
    return { deviceId: params.deviceId, role, scopes: signed.scopes }
  }
}

// A close frame holds 123 bytes of reason.
function cutBytes(text: string): string {
  const bytes = Buffer.from(text, 'utf8')
  return bytes.length <= CLOSE_REASON_BYTES
    ? text
    : bytes.subarray(0, CLOSE_REASON_BYTES).toString('utf8').replace(/�+$/, '')
}
