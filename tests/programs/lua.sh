# SPDX-License-Identifier: GPL-2.0-or-later
prepare() {
    cat > script.lua <<'END'
local t, x = {}, 42
for i = 1, 50000 do x = (x * 1103515245 + 12345) % 2147483648; t[i] = x end
table.sort(t); print(#t, t[1], t[25000], t[50000])
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end print(fib(22))
print(string.format("%5d|%-6s|%08.3f|%g|%q|%x|%a", 42, "ab", math.pi, 1e100, 'a"b\n', 255, 0.1))
print(("hello world"):gsub("o", "0"), ("k=v, a=b"):gsub("(%w+)=(%w+)", "%2=%1"), ("x"):rep(5, "-"), ("abc"):byte(1, -1))
for k, v in ("one two  three"):gmatch("(%a)(%a+)") do io.write(k, ":", v, " ") end print()
print(10 // 3, -10 // 3, -10 % 3, 7 / 2, 2 ^ 0.5, 1 << 62, 5 & 3, 5 ~ 3, ~0, 3 | 8, 1e308 * 10, math.maxinteger + 1 == math.mininteger, 10 // 0.0)
local mt = setmetatable({}, { __index = function(_, k) return k .. "!" end, __call = function(_, a) return a * 2 end, __tostring = function() return "object" end })
print(mt.key, mt(21), tostring(mt))
local co = coroutine.wrap(function(a) for i = 1, 3 do a = a + coroutine.yield(a * i) end return "end" end) print(co(1), co(2), co(3), co(4))
print(pcall(error, { code = 1 }) , select("#", 1, nil, nil), (select(2, pcall(function() local a; return a.b end))))
print(math.sin(1), math.exp(1), math.log(10), math.floor(-3.5), math.tointeger(3.0), math.type(1), math.type(1.0), math.ult(1, -1), 3 == 3.0)
print(string.pack("<i4d", 7, 1.5):byte(1, -1)) print(string.unpack("<i4d", string.pack("<i4d", 7, 1.5)))
local s = {} for i = 1, 300 do s[#s + 1] = tostring(i * i) end print(#table.concat(s, ","), utf8.char(228, 8364), utf8.len("äö"))
collectgarbage() local g = {} for i = 1, 100000 do g = { g = { i } } if i % 1000 == 0 then g = {} end end print(collectgarbage("count") > 0)
goto done
print("skipped")
::done:: print(load("return 6 * 7")(), #arg) os.exit(5)
END
}
check() {
    run lua5.4 "$inputs/script.lua" a b
    [ $? = 5 ] && run lua5.4 -e 'print(_VERSION)' && run lua5.4 -e 'error("text")'
    [ $? = 1 ]
}
