# SPDX-License-Identifier: GPL-2.0-or-later
prepare() {
    cat > script.pl <<'END'
use strict; use warnings; use POSIX qw(floor ceil fmod strftime); use List::Util qw(sum shuffle reduce); use Data::Dumper;
use Digest::MD5 qw(md5_hex); use Digest::SHA qw(sha256_hex); use MIME::Base64; use Storable qw(dclone); use Time::Local; use Encode;
my %h; my $x = 12345;
for my $i (1 .. 60000) { $x = ($x * 1103515245 + 12345) & 0x7fffffff; $h{$x % 1009} .= chr(97 + $x % 26); }
print scalar(keys %h), " ", sum(map { length } values %h), "\n";
print join(",", (sort { length($h{$b}) <=> length($h{$a}) || $a <=> $b } keys %h)[0 .. 9]), "\n";
my $text = join " ", map { $h{$_} } sort { $a <=> $b } keys %h;
my $n = () = $text =~ /([aeiou])[^aeiou]{2}\1/g; print "$n ", md5_hex($text), " ", sha256_hex($text), "\n";
(my $t = $text) =~ s/(\w)(\w)/$2$1/g; print substr($t, 0, 60), "\n"; $t =~ tr/a-y/b-z/; print substr($t, -30), "\n";
printf "%.15g %.15g %.15g %s %s\n", sqrt(2), atan2(1, 2), exp(1), 2**70, 1e15 + 0.3;
print floor(-2.5), ceil(2.1), fmod(10, 3), " ", 7 / 2, " ", int(-7 / 2), " ", -7 % 3, " ", 0xff ^ 0x0f, "\n";
sub fib { my $n = shift; $n < 2 ? $n : fib($n - 1) + fib($n - 2) } print fib(18), "\n";
{ package Shape; sub new { my ($c, %a) = @_; bless {%a}, $c } sub area { 0 } package Square; our @ISA = 'Shape'; sub area { $_[0]{side}**2 } }
print Square->new(side => 7)->area, "\n";
$Data::Dumper::Sortkeys = 1; $Data::Dumper::Indent = 1; print Dumper(dclone({ a => [1, { b => undef }], c => \"x" }));
print strftime("%Y-%m-%d %H:%M:%S", gmtime(1e9)), " ", timegm(0, 0, 0, 1, 0, 100), "\n";
eval { die { code => 42 } }; print "died $@->{code}\n"; eval { my $z = 0; print 1 / $z }; print $@ =~ /division by zero/ ? "div\n" : "no\n";
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; 1 while 1 }; print $@;
my $pid = fork // die; if (!$pid) { exit 3 } waitpid $pid, 0; print $? >> 8, "\n";
pipe my $r, my $w; if (!fork) { close $r; print $w "from child\n"; exit } close $w; print scalar <$r>; wait;
print pack("NnCa4H4", 1, 2, 3, "abcd", "beef") eq "\0\0\0\1\0\2\3abcd\xbe\xef" ? "pack\n" : "no\n", unpack("%32C*", $text), "\n";
print decode_base64(encode_base64("round trip")), " ", length(encode("UTF-8", "\x{263a}\x{e9}")), "\n";
printf "%s\n", join " ", map { sprintf "%b", $_ } 1 .. 5; my @s = sort { $a <=> $b } map { ($_ * 7919) % 10007 } 1 .. 5000; print "@s[0..5] $s[-1]\n";
open my $f, ">", "file" or die; print $f "line $_\n" for 1 .. 1000; close $f; open $f, "<", "file"; my @l = <$f>; print scalar(@l), " $l[-1]"; print -s "file", "\n";
exit 6;
END
}
check() {
    run perl "$inputs/script.pl"
    [ $? = 6 ]
}
