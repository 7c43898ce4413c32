/**
 * Linking a device to a WhatsApp account: a code is shown that its owner's phone scans, once.
 *
 * Part of WhatsApp's adapter; run by `openclaw channels login whatsapp` in a process of its own.
 */
import {
  type Baileys,
  type Creds,
  openSocket,
  readCreds,
  RESTART_REQUIRED,
  type SecretFiles,
  type Socket,
  standingOf,
} from './whatsapp-seam.ts'

/** What a login is made of. */
export interface Login {
  readonly baileys: Baileys
  readonly files: SecretFiles
  /** Shows a code; each takes the place of the one before. */
  readonly show: (code: string) => void
}

/**
 * Links this gateway. Resolves when the account has let us in and the credentials are on disk;
 * rejects with an Error when the codes are used up or the phone says no; then no credentials are left.
 */
export async function loginWhatsApp({ baileys, files, show }: Login): Promise<void> {
  const creds = readCreds(baileys, files) ?? baileys.initAuthCreds()
  try {
    // The first connection ends when the phone has scanned; the second one proves the credentials.
    let end = await connect({ baileys, files, show }, creds)
    if (end === RESTART_REQUIRED) end = await connect({ baileys, files, show }, creds)
    if (end !== null) throw new Error(`whatsapp: not linked, closed with ${end}`)
  } catch (thrown) {
    files.clear()
    throw thrown
  }
}

// Resolves with null when it is open, else with what it was closed with.
async function connect({ baileys, files, show }: Login, creds: Creds): Promise<number | null> {
  const socket: Socket = openSocket(baileys, files, creds)
  const end = await new Promise<number | null>((resolve) => {
    socket.ev.on('connection.update', (update) => {
      const { isOpen, closedWith, qr } = standingOf(update)
      if (qr !== null) show(qr)
      if (isOpen) resolve(null)
      if (closedWith !== null) resolve(closedWith)
    })
  })
  await socket.end(undefined)
  return end
}
