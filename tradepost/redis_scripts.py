# SPDX-License-Identifier: GPL-3.0-or-later
"""What the directory in Redis is made of, and the scripts that read and write it in one step each.

    {prefix}:dir:mark       number of the generation in force
    {prefix}:dir:last       number given out last
    {prefix}:dir:own        a word made at the first generation: another one, or none, means that all was lost
    {prefix}:dir:g:N        hash, one generation: derived key -> "SEQ:value", or "SEQ" for what is gone; and beside them
                            =born (a word of its own), =pages (filled so far), =seq and =at (ms): projected how far and when,
                            =settled (ms): when it comes into force
    {prefix}:own:KEY        arrival's own keys, with expiry
    {prefix}:turn:KEY       counters

A generation and its mark are one key: Redis can lose it as a whole or not at all, so that a fact that was lost is never
read as one that is not there.  All times are Redis' own: hosts' clocks may differ.
"""

import hashlib
from dataclasses import dataclass, field

from tradepost.redis_url import key_of
from tradepost.settings import RedisSettings

NO_MARK, STALE, LOST, BEHIND, DONE = b"no-mark", b"stale", b"lost", b"behind", b"done"


@dataclass(frozen=True, slots=True)
class Script:
    """A script with the digest Redis knows it by."""

    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class DirectoryKeys:
    """Names of the keys above."""

    mark: str
    last: str
    own_word: str
    generations: str  # beginning of dir:g:N
    own: str  # beginning
    turns: str  # beginning


def directory_keys(settings: RedisSettings) -> DirectoryKeys:
    """Return the names under the prefix in the settings."""
    return DirectoryKeys(
        mark=key_of(settings, "dir", "mark"),
        last=key_of(settings, "dir", "last"),
        own_word=key_of(settings, "dir", "own"),
        generations=key_of(settings, "dir", "g", ""),
        own=key_of(settings, "own", ""),
        turns=key_of(settings, "turn", ""),
    )


_NOW = """
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
"""

# The hash in force, or nil.
_IN_FORCE = """
local function in_force()
  local number = redis.call('GET', KEYS[1])
  if not number then return nil end
  local found = redis.call('HMGET', ARGV[1] .. number, '=seq', '=settled')
  if not found[1] or now_ms() < tonumber(found[2]) then return nil end
  return ARGV[1] .. number
end
"""

# KEYS mark, last; ARGV generations.  Answers: number, seq, at, now, 1 where this or a newer one is yet to come into force.
STATE = Script(
    _NOW
    + """
local number = redis.call('GET', KEYS[1])
if not number then return {'no-mark'} end
local found = redis.call('HMGET', ARGV[1] .. number, '=seq', '=at', '=settled')
if not found[1] then return {'no-mark'} end
local last = redis.call('GET', KEYS[2])
local rebuilding = 0
if now_ms() < tonumber(found[3]) then rebuilding = 1
elseif last and tonumber(last) > tonumber(number) then rebuilding = redis.call('EXISTS', ARGV[1] .. last) end
return {'done', number, found[1], found[2], now_ms(), rebuilding}
"""
)

# KEYS mark, own word, own keys; ARGV generations, ms after which it is stale, derived keys.
FETCH = Script(
    _NOW
    + """
local own = redis.call('MGET', unpack(KEYS))
if not own[1] then return {'no-mark'} end
local found = redis.call('HMGET', ARGV[1] .. own[1], '=seq', '=at', '=settled', unpack(ARGV, 3))
if not found[1] or now_ms() < tonumber(found[3]) then return {'no-mark'} end
if now_ms() - found[2] > tonumber(ARGV[2]) then return {'stale'} end
return {'done', own, found}
"""
)

# KEYS mark, own word; ARGV generations, key, generation's word and seq of the value at hand.
POLICY = Script("""
local head = redis.call('MGET', KEYS[1], KEYS[2])
if not head[1] then return {'no-mark', ''} end
local found = redis.call('HMGET', ARGV[1] .. head[1], '=born', ARGV[2])
if not found[1] then return {'no-mark', ''} end
if not found[2] then return {'done', head[2]} end
if found[1] == ARGV[3] and string.match(found[2], '^%d+') == ARGV[4] then return {'done', head[2]} end
return {'done', head[2], found[1], found[2]}
""")

# KEYS mark, own key; ARGV generations, value, ms to live.  Answers with the value in force and the ms it has left.
CLAIM = Script(
    _NOW
    + _IN_FORCE
    + """
if not in_force() then return {'no-mark'} end
local held = redis.call('GET', KEYS[2])
if held then return {'done', held, redis.call('PTTL', KEYS[2])} end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return {'done', ARGV[2], tonumber(ARGV[3])}
"""
)

# KEYS mark, counter; ARGV generations.
TURN = Script(
    _NOW
    + _IN_FORCE
    + """
if not in_force() then return {'no-mark'} end
return {'done', redis.call('INCR', KEYS[2])}
"""
)

# KEYS mark, own keys; ARGV generations, ms to live, values.
NOTE = Script(
    _NOW
    + _IN_FORCE
    + """
if not in_force() then return {'no-mark'} end
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 1], 'PX', ARGV[2]) end
return {'done'}
"""
)

# KEYS own keys; ARGV value and ms to live of each.  Says again what was promised; needs no mark.
PROMISE = Script("""
for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[2 * i - 1], 'PX', ARGV[2 * i], 'NX') end
return {'done'}
""")

_PUT = """
local function put(hash, first)
  local last = 0
  for i = first, #ARGV, 2 do
    local seq = tonumber(string.match(ARGV[i + 1], '^%d+'))
    local held = redis.call('HGET', hash, ARGV[i])
    if not held or tonumber(string.match(held, '^%d+')) <= seq then redis.call('HSET', hash, ARGV[i], ARGV[i + 1]) end
    if seq > last then last = seq end
  end
  return last
end
"""

# KEYS mark; ARGV generations.
SEQ = Script("""
local number = redis.call('GET', KEYS[1])
if not number then return {'no-mark'} end
if not tonumber(number) then return redis.error_reply('ERR ' .. KEYS[1] .. ' holds something else') end
local seq = redis.call('HGET', ARGV[1] .. number, '=seq')
if not seq then return {'no-mark'} end
return {'done', seq}
""")

# KEYS mark; ARGV generations, seq it must have reached, age of the news (ms), then key and stored value in pairs.
PROJECT = Script(
    _NOW
    + _PUT
    + """
local number = redis.call('GET', KEYS[1])
if not number then return {'no-mark'} end
local hash = ARGV[1] .. number
local seq = tonumber(redis.call('HGET', hash, '=seq') or nil)
if not seq then return {'no-mark'} end
if seq < tonumber(ARGV[2]) then return {'behind', seq} end
local last = put(hash, 4)
if last > seq then seq = last end
redis.call('HSET', hash, '=seq', string.format('%.0f', seq), '=at', now_ms() - tonumber(ARGV[3]))
return {'done', seq}
"""
)

# KEYS mark, last; ARGV generations, its word, seconds after which a forgotten one goes.
BEGIN = Script("""
local number = math.max(tonumber(redis.call('GET', KEYS[1]) or 0) or 0, tonumber(redis.call('GET', KEYS[2]) or 0)) + 1
redis.call('SET', KEYS[2], number)
local hash = ARGV[1] .. number
redis.call('UNLINK', hash)
redis.call('HSET', hash, '=born', ARGV[2], '=pages', 0)
redis.call('EXPIRE', hash, ARGV[3])
return {'done', number}
""")

# KEYS generation; ARGV its word, pages it must have, seconds, then key and stored value in pairs.
FILL = Script(
    _PUT
    + """
local found = redis.call('HMGET', KEYS[1], '=born', '=pages')
if found[1] ~= ARGV[1] or found[2] ~= ARGV[2] then return {'lost'} end
put(KEYS[1], 4)
redis.call('HINCRBY', KEYS[1], '=pages', 1)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {'done'}
"""
)

# KEYS mark, own word, generation; ARGV generations, number, its word, pages, seq, age (ms), a word for the own keys, ms until
# it comes into force where there is no such word: all was lost.
FINISH = Script(
    _NOW
    + """
local found = redis.call('HMGET', KEYS[3], '=born', '=pages')
if found[1] ~= ARGV[3] or found[2] ~= ARGV[4] then return {'lost'} end
local old = redis.call('GET', KEYS[1])
if (tonumber(old) or 0) > tonumber(ARGV[2]) and redis.call('HEXISTS', ARGV[1] .. old, '=seq') == 1 then
  redis.call('UNLINK', KEYS[3])
  return {'done'}
end
local settled = old and redis.call('HGET', ARGV[1] .. old, '=settled') or 0
if redis.call('SET', KEYS[2], ARGV[7], 'NX') then settled = now_ms() + tonumber(ARGV[8]) end
redis.call('HSET', KEYS[3], '=seq', ARGV[5], '=at', now_ms() - tonumber(ARGV[6]), '=settled', settled)
redis.call('PERSIST', KEYS[3])
redis.call('SET', KEYS[1], ARGV[2])
if old then redis.call('UNLINK', ARGV[1] .. old) end
return {'done'}
"""
)
