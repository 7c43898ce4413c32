/** Bounds of what comes from a messaging platform and goes to it; a part of `limits.ts`. */
export const channelLimits = {
  hookBytesMax: 256 * 1024, // Of one post of a platform: the longest text there is, and room for its frame.
  hooksMax: 32, // Posts read and taken at a time: 8 MB; a platform that is refused comes again.
  pieceWaitMs: 60_000, // A platform that asks for longer between two pieces leaves the rest unsent.
  cursorMs: 5_000, // A cursor behind which nothing was taken is kept this late: one record for a busy room.
  telegramTextUnitsMax: 4_096, // Telegram's: UTF-16 units of one message.
  telegramPiecesMax: 16, // Messages of one text: 64 K characters; a chat takes 20 a minute.
  telegramPollMs: 25_000, // How long Telegram may hold a poll that has nothing to tell.
  telegramGraceMs: 15_000, // Behind it, or after another call, a server that says nothing is gone.
  telegramPauseMs: 100, // Between polls of a server that does not hold them.
  telegramPingMs: 60_000, // How often a server that posts to us is asked whether it still does.
  telegramOffsetMs: 6 * 24 * 3_600_000, // Telegram may begin to count anew after a week of silence.
  discordTextUnitsMax: 2_000, // Discord's: characters of one message, counted as it counts or more.
  discordPiecesMax: 32, // Messages of one text: 64 K characters; a channel takes 5 in 5 s.
  discordGraceMs: 15_000, // An answer that takes longer does not come any more.
  discordAnswerBytesMax: 16 * 1024 * 1024, // Of one answer: 100 messages, each with the one it answers.
  discordAgainMs: 1_000, // Before the same message is offered again; Discord knows its nonce for minutes.
  discordAnewMs: 1_000, // Discord: wait 1 to 5 s before a session that is over is begun anew.
  discordAnewMsMax: 5_000,
  discordStartsKept: 50, // Of 1,000 sessions a day: Discord takes the token of a bot that begins more.
  discordPageMax: 100, // Discord's: messages of one answer.
  discordMissedMax: 5_000, // Messages of all conversations: 10 MB; a busy room has some thousand a day.
  discordMissedMsMax: 24 * 3_600_000, // How far back is asked: what is older is answered by nobody.
  discordMissedMarginMs: 300_000, // Clocks of home servers are minutes off; twice seen is once taken.
  discordMissedTriesMax: 10, // Of one question: Discord asks for patience of seconds.
  conversationsMax: 100, // That are asked: 5 a second, as Discord lets us.
  conversationsLookMax: 10_000, // Records of a channel that are read for them: 100 ms.
  discordPlacesMax: 1_000, // Channels and people of whom the place is remembered: 100 KB.
  discordWaitingMax: 1_000, // Events that wait for the disk: behind them the link ends, and resumes.
  whatsappTextUnitsMax: 4_000, // Upstream's: WhatsApp takes 65,536, which no phone shows at once.
  whatsappPiecesMax: 16, // Messages of one text: 64 K characters; more is taken for spam.
  whatsappAckMs: 20_000, // Its server answers within a second; behind this it does not any more.
  whatsappKnownMax: 1_000, // Numbers that were asked for: 20 KB.
  whatsappHeldMax: 10_000, // Messages that wait for the journal, each in a file: a day of busy groups at once.
  whatsappHeldAgainMs: 1_000, // Before one that could not be taken is offered again: one line of the log.
  webhookReplayMs: 300_000, // How old a signature may be: clocks of home servers are minutes off.
  webhookBurst: 60, // Messages of one program at once, then webhookPerSecond.
  webhookPerSecond: 10,
  webhookIdCharsMax: 64, // K1: ids and names in a post become facts of records.
  ircLineBytesMax: 350, // Text bytes a PRIVMSG: 512 less prefix, command and target, with room.
  ircLinesMax: 30, // Lines of one message; more would fill a room for minutes.
  ircReceivedBytesMax: 16 * 1024, // A line without an end: tags may take 8,191 bytes, the rest 512.
  ircBurstLines: 5, // Lines sent at once; servers throw out whoever sends more (RFC 1459, 8.10).
  ircLineIntervalMs: 1_000, // Pace behind the burst.
  ircPingMs: 60_000, // How often a silent link is asked whether it lives.
  ircPongMs: 30_000, // No answer for so long is a dead link; a throttled server needs about 10 s.
  ircInboundMax: 256, // Messages taken and not yet on disk; beyond it we stop reading the socket.
} as const
