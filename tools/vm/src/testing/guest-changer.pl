#!/usr/bin/perl
# Removes the immutable attribute of a file in use, damages the file and repairs it, ROUNDS times:
#
#   perl guest-changer.pl FILE WHOLE OTHER ROUNDS
#
# It overwrites the file with OTHER, and restores it from WHOLE. A reader of the file may set the attribute again at any
# time.
use strict;
use warnings;
use Fcntl;
use IO::Handle;

my ($file, $whole, $other, $rounds) = @ARGV;
my ($get_flags, $set_flags, $immutable) = (0x80086601, 0x40086602, 0x10);
my ($fallocate, $punch_keep_size, $page) = (285, 3, 4096);

sub bytes_of { my ($path) = @_; local $/; open my $in, '<', $path or die "$path: $!"; binmode $in; return <$in>; }

sub release {
  my ($path) = @_;
  open my $in, '<', $path or return;
  my $flags = pack 'L!', 0;
  ioctl $in, $get_flags, $flags or die "flags: $!";
  $flags = pack 'L!', unpack('L!', $flags) & ~$immutable;
  ioctl $in, $set_flags, $flags or die "flags: $!";
}

sub change {
  my ($flags, $work) = @_;
  for (;;) {
    release($file);
    next unless sysopen(my $out, $file, $flags);
    $work->($out);
    $out->sync;
    return;
  }
}

sub move {
  my ($from, $to) = @_;
  do { release($from) } until rename $from, $to;
}

my ($sound, $foreign) = (bytes_of($whole), bytes_of($other));
my $bytes = length $sound;
my $restore = sub { my ($out) = @_; sysseek $out, 0, 0; syswrite $out, $sound; };
my @damages = (
  sub { change(O_RDWR, sub { syswrite $_[0], $foreign, $bytes }); },
  sub { change(O_RDWR, sub { syscall $fallocate, fileno($_[0]), $punch_keep_size, $page, $bytes - $page }); },
  sub { change(O_RDWR, sub { truncate $_[0], $page }); },
  sub { move($file, "$file.moved"); move("$file.moved", $file); },
  sub { do { release($file) } until unlink $file; },
  sub { release($file); system "e4defrag '$file' >/dev/null 2>&1"; },
);
for my $round (0 .. $rounds - 1) {
  $damages[$round % 50 == 5 ? 5 : $round % 5]->();
  change(O_RDWR | O_CREAT, $restore);
}
