# SPDX-License-Identifier: GPL-2.0-or-later
# A database of 100,000 rows in a file: inserts, indexes, joins, window functions, update, delete, vacuum.
prepare() {
    cat > script.sql <<'END'
PRAGMA journal_mode = WAL; PRAGMA page_size;
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, kind INTEGER);
BEGIN;
WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO item SELECT i, printf('item-%06d-%x', (i * 7919) % 100003, i * 2654435761 % 4294967296), ((i * 104729) % 99991) / 4.0, i % 17 FROM n;
COMMIT;
CREATE INDEX item_name ON item(name); CREATE INDEX item_kind ON item(kind, price);
SELECT count(*), sum(price), avg(price), min(name), max(name), total(length(name)) FROM item;
SELECT kind, count(*), round(sum(price), 2), max(price) FROM item GROUP BY kind ORDER BY kind;
SELECT a.id, b.id FROM item a JOIN item b ON a.name < b.name AND b.kind = a.kind AND a.id BETWEEN 100 AND 110 ORDER BY b.name DESC, a.id LIMIT 5;
SELECT id, price, rank() OVER (PARTITION BY kind ORDER BY price DESC) r, sum(price) OVER (ORDER BY id ROWS 3 PRECEDING) FROM item WHERE id % 9973 = 0 ORDER BY id;
SELECT name FROM item WHERE name LIKE '%-0500%' ORDER BY name LIMIT 4; SELECT count(*) FROM item WHERE name GLOB '*[0-3]f';
UPDATE item SET price = price * 1.5 WHERE kind IN (3, 5, 7); SELECT changes(), sum(price) FROM item;
DELETE FROM item WHERE id % 3 = 0; SELECT changes(), count(*) FROM item;
SELECT json_group_array(id) FROM (SELECT id FROM item ORDER BY price DESC, id LIMIT 6); SELECT json_extract('{"a":[1,{"b":2.5}]}', '$.a[1].b');
SELECT date('2024-02-29', '+1 year'), strftime('%s', '2001-09-09 01:46:40'), hex(zeroblob(2)), quote(x'00ff'), 1e300 * 1e10, 9223372036854775807 + 1, 7 / 2, 7 % -3, round(2.5);
VACUUM; PRAGMA integrity_check; CREATE VIRTUAL TABLE f USING fts5(t); INSERT INTO f SELECT name || ' word' || (id % 100) FROM item LIMIT 5000; SELECT count(*) FROM f WHERE f MATCH 'word42';
EXPLAIN QUERY PLAN SELECT * FROM item WHERE kind = 4 AND price > 10;
SELECT * FROM missing;
END
}
check() {
    run sqlite3 -batch file.db < "$inputs/script.sql"
    run sqlite3 -csv -header file.db 'SELECT * FROM item ORDER BY id LIMIT 5'
    run sqlite3 file.db "SELECT * FROM item ORDER BY id" | run md5sum
}
