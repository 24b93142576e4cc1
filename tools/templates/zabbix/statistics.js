// /proc/net/stat/*: a line of names, then a line of hexadecimal numbers for each CPU. The first column is the whole
// table's, repeated on each line; the others are added up.
var lines = value.trim().split('\n');
var names = lines[0].trim().split(/\s+/);
var sums = {};
lines.slice(1).forEach(function (line) {
    line.trim().split(/\s+/).forEach(function (number, column) {
        var name = names[column];
        sums[name] = (column > 0 ? sums[name] || 0 : 0) + parseInt(number, 16);
    });
});
return JSON.stringify(sums);
