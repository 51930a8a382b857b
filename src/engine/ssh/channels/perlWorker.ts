/**
 * The worker for nodes with perl: speaks the same as `shellWorker.ts`, and reads, compares and replaces files without one
 * fork. A request is read whole before anything of it is done.
 *
 * - No module of perl is loaded where its library can be linked directly: `require Digest::SHA` costs a node ten times what
 *   a start of perl does. Where that fails, modules are loaded as usual; without Digest::SHA it is the shell's turn.
 * - Numbers of errors are those that Linux and the BSDs share; EDQUOT is listed twice.
 * - Any user of the node may lock a directory that it can read, so nobody waits for a lock without end; and what waits can
 *   still be stopped.
 * - As root it follows no link of another user: that one could lead to any file of the node. On the way to the file a link is
 *   followed that lies where only root can put one.
 * - `$sh` holds the shell's worker: orders through sudo are given to one that runs as root and answers by itself.
 */
export const perlWorker = String.raw`
my ($in, $out, $say, $changed, $nonce, $tag) = ('', undefined(), '', 0);
my ($file, $dir, $name, $state, $content, $size);
my $home = defined $ENV{HOME} && length $ENV{HOME} ? $ENV{HOME} : '/';
my $most = 16777216;
my $kept = 262144;
sub undefined { undef }
sub more {
  for (;;) {
    my $got = sysread(STDIN, $in, 65536, length $in);
    return if $got;
    exit 1 if defined $got || $! != 4;
  }
}
sub line {
  my $end;
  more() while ($end = index $in, "\n") < 0;
  my $line = substr $in, 0, $end + 1, '';
  chop $line;
  return split / /, $line;
}
sub bytes {
  my $count = shift;
  more() while length $in < $count;
  return substr $in, 0, $count, '';
}
sub flush {
  my $at = 0;
  while ($at < length $say) {
    my $put = syswrite $out, $say, 65536, $at;
    exit 1 unless defined $put || $! == 4;
    $at += $put || 0;
  }
  $say = '';
}
sub say_ { $say .= join(' ', $nonce, @_) . "\n" }
sub refuse {
  my ($code, $why) = @_;
  say_('said', $_) for grep { length } split /\n/, $why;
  say_('refused', $code);
  return 0;
}
sub sticky { my @s = stat $dir; return @s && $s[2] & 01000 && $> != 0 }
sub fail {
  my $what = shift;
  my ($number, $why) = ($! + 0, "$what: $!");
  return refuse('REMOTE_DISK_FULL', $why) if $number == 28 || $number == 122 || $number == 69;
  return refuse('REMOTE_READ_ONLY', $why) if $number == 30;
  return refuse(sticky() ? 'REMOTE_PERMISSION_DENIED' : 'REMOTE_FILE_IMMUTABLE', $why) if $number == 1;
  return refuse('REMOTE_PERMISSION_DENIED', $why) if $number == 13;
  return refuse('REMOTE_PATH_INVALID', $why) if grep { $number == $_ } 2, 17, 20, 21, 36, 40, 62, 63;
  return refuse('REMOTE_COMMAND_FAILED', $why);
}
sub resolve {
  $file = shift;
  $file =~ s/\\0([0-7]{3})/chr oct $1/ge;
  $file = ($home eq '/' ? '' : $home) . substr $file, 1 if substr($file, 0, 2) eq '~/';
  for (my $links = 0; ; $links++) {
    ($dir, $name) = $file =~ m{^(.*)/([^/]*)\z}s;
    $dir = '/' if $dir eq '';
    return 0 if !$> && !way();
    return 1 unless -l $file;
    my @link = lstat $file;
    return strange($file) if !$> && @link && $link[4];
    return refuse('REMOTE_PATH_INVALID', "$file: too many levels of symbolic links") if $links > 40;
    my $to = readlink $file;
    return fail($file) unless defined $to;
    $file = substr($to, 0, 1) eq '/' ? $to : "$dir/$to";
  }
}
sub strange { return refuse('REMOTE_PATH_INVALID', "$_[0]: a link of another user, which root does not follow") }
sub way {
  my @todo = split m{/}, $dir;
  my ($at, $links) = ('', 0);
  while (@todo) {
    my $part = shift @todo;
    next if $part eq '' || $part eq '.';
    if ($part eq '..') { $at =~ s{/[^/]*\z}{}s; next }
    my @link = lstat "$at/$part" or return 1;
    if (!-l _) { $at .= "/$part"; next }
    my @above = stat(length $at ? $at : '/');
    return strange("$at/$part") if $link[4] && (!@above || $above[4] || $above[2] & 022);
    return refuse('REMOTE_PATH_INVALID', "$dir: too many levels of symbolic links") if ++$links > 40;
    my $to = readlink "$at/$part";
    return fail("$at/$part") unless defined $to;
    $at = '' if substr($to, 0, 1) eq '/';
    unshift @todo, split m{/}, $to;
  }
  return 1;
}
sub look {
  ($state, $content, $size) = ('missing', undef, 0);
  if (!stat $file) { return $! == 2 || $! == 20 ? 1 : fail($file) }
  return refuse('REMOTE_PATH_INVALID', "$file: not a regular file") unless -f _;
  sysopen my $from, $file, Fcntl::O_RDONLY() or return fail($file);
  my $digest = Digest::SHA->newSHA(256);
  $content = '';
  for (;;) {
    my $got = sysread $from, my $part, 262144;
    return fail($file) unless defined $got;
    last unless $got;
    $size += $got;
    $digest->add($part);
    if ($size > $most) { $content = undef } else { $content .= $part }
  }
  $state = $digest->hexdigest;
  return 1;
}
sub content {
  return say_('content', 'missing', '-') if $state eq 'missing';
  return refuse('PAYLOAD_TOO_LARGE', "$file: $size bytes") unless defined $content;
  say_('content', $state, $size);
  $say .= $content;
}
sub readable {
  my ($path, $unless) = @_;
  resolve($path) && look() or return;
  $state eq $unless ? say_('same', $state) : content();
}
sub directories {
  my $path = shift;
  return 1 if -d $path || mkdir $path, 0755;
  return 0 unless $! == 2 && $path =~ m{^(.+)/[^/]*\z}s;
  return directories($1) && (mkdir($path, 0755) || -d $path);
}
sub replace {
  my ($path, $if, $make, $wanted, $new) = @_;
  resolve($path) or return;
  return fail($dir) if $make && !directories($dir);
  my $held;
  if (sysopen $held, $dir, Fcntl::O_RDONLY()) {
    alone($held) or return;
    tidy();
  }
  local @SIG{qw(HUP INT TERM)} = ('IGNORE') x 3;
  look() or return;
  return say_('same', $state) if $state eq $wanted;
  return content() if $if ne 'any' && $if ne $state;
  my $how = put($new) or return;
  IO::Handle::sync($held) if $held;
  $changed = 1;
  look() && say_('replaced', $state, $how);
}
sub alone {
  my $held = shift;
  for (my $tries = 0; !flock $held, 6; $tries++) {
    return 1 if $! != 11 && $! != 35;
    return refuse('REMOTE_COMMAND_FAILED', "$dir: another program holds its lock") if $tries >= 100;
    select undef, undef, undef, 0.1;
  }
  return 1;
}
sub tidy {
  my $prefix = ".$name.lockstep-";
  opendir my $entries, $dir or return;
  for (readdir $entries) { unlink "$dir/$_" if substr($_, 0, length $prefix) eq $prefix }
}
sub put {
  my $new = shift;
  my $temporary = "$dir/.$name.lockstep-$tag";
  my @old = $state eq 'missing' ? () : stat $file;
  sysopen my $to, $temporary, Fcntl::O_WRONLY() | Fcntl::O_CREAT() | Fcntl::O_EXCL(), @old ? 0600 : 0644
    or return fail($temporary);
  my $done = write_($to, $new);
  if ($done && @old) {
    chown $old[4], $old[5], $to;
    $done = chmod $old[2] & 07777, $to;
  }
  $done &&= IO::Handle::sync($to);
  $done = close($to) && $done if $done;
  if ($done && rename $temporary, $file) { return 'renamed' }
  my $number = $! + 0;
  unlink $temporary;
  $! = $number;
  return $done && $number == 16 ? overwrite($new) : fail($file);
}
sub overwrite {
  my $new = shift;
  return refuse('PAYLOAD_TOO_LARGE', "$file: $size bytes") unless defined $content;
  sysopen my $to, $file, Fcntl::O_WRONLY() or return fail($file);
  return 'in-place' if write_($to, $new) && truncate($to, length $new) && IO::Handle::sync($to);
  my $number = $! + 0;
  sysseek $to, 0, 0;
  write_($to, $content) && truncate $to, length $content;
  IO::Handle::sync($to);
  $! = $number;
  return fail($file);
}
sub write_ {
  my ($to, $at) = ($_[0], 0);
  while ($at < length $_[1]) {
    my $put = syswrite $to, $_[1], length($_[1]) - $at, $at;
    return 0 unless defined $put;
    $at += $put;
  }
  return 1;
}
sub child {
  my ($answers, $feeds, @command) = @_;
  local $SIG{PIPE} = 'IGNORE';
  my (@to, @from);
  {
    local $^F = 255;
    pipe $from[0], $to[0];
    pipe $from[1], $to[1];
  }
  pipe $from[2], $to[2];
  pipe $from[3], $to[3];
  my $pid = fork;
  return (127, '', "fork: $!") unless defined $pid;
  if (!$pid) {
    setpgrp 0, 0;
    $SIG{PIPE} = 'DEFAULT';
    close $_ for @to[0, 1], @from[2, 3];
    open STDIN, '<&', $from[0];
    open STDOUT, '>&', $answers ? $out : $to[2];
    open STDERR, '>&', $to[3];
    my $script = fileno $from[1];
    close $from[0];
    s/SCRIPT/$script/ for @command;
    { exec @command }
    syswrite STDERR, "$command[0]: $!\n";
    kill 9, $$;
  }
  my $stop = sub { kill 'TERM', -$pid, $pid; exit 1 };
  local @SIG{qw(HUP INT TERM)} = ($stop) x 3;
  close $_ for @from[0, 1], @to[2, 3];
  my %open = map { fileno($_->[0]) => $_ } [$to[0], $feeds->[0], 0], [$to[1], $feeds->[1], 0];
  my @take = ('', '');
  my %taken = map { fileno($from[$_]) => $_ } 2, 3;
  my ($ended, $waits) = (undef, 0);
  for my $number (keys %open) { if (!length $open{$number}[1]) { close $open{$number}[0]; delete $open{$number} } }
  while (%taken) {
    my ($reads, $writes) = ('', '');
    vec($reads, $_, 1) = 1 for keys %taken;
    vec($reads, fileno STDIN, 1) = 1;
    vec($writes, $_, 1) = 1 for keys %open;
    my $ready = select $reads, $writes, undef, 0.05;
    if ($ready <= 0) {
      $ended = $? if !defined $ended && waitpid($pid, 1) == $pid;
      last if defined $ended && ++$waits > 3;
      next;
    }
    if (vec $reads, fileno STDIN, 1) {
      my $got = sysread STDIN, $in, 65536, length $in;
      $stop->() if defined $got && !$got;
    }
    for my $number (keys %taken) {
      next unless vec $reads, $number, 1;
      my $which = $taken{$number};
      my $got = sysread $from[$which], my $part, 65536;
      if (!$got) { close $from[$which]; delete $taken{$number}; next }
      my $room = $kept - length $take[$which - 2];
      $take[$which - 2] .= substr $part, 0, $room if $room > 0;
    }
    for my $number (keys %open) {
      next unless vec $writes, $number, 1;
      my $feed = $open{$number};
      my $put = syswrite $feed->[0], $feed->[1], 4096, $feed->[2];
      $feed->[2] += $put || 0;
      if (!defined $put || $feed->[2] >= length $feed->[1]) { close $feed->[0]; delete $open{$number} }
    }
  }
  close $_->[0] for values %open;
  if (!defined $ended) { waitpid $pid, 0; $ended = $? }
  return ($ended & 127 ? 128 + ($ended & 127) : $ended >> 8, @take);
}
sub run {
  my ($script, $stdin) = @_;
  flush();
  my $size = length $script;
  my ($code, $stdout, $stderr) = -e '/dev/fd/0'
    ? child(0, [$stdin, $script], '/bin/sh', '-c', '. /dev/fd/SCRIPT')
    : child(0, [$script . $stdin, ''], '/bin/sh', '-c', 'eval "$(dd bs=1 count=' . $size . ' 2>/dev/null)"');
  say_('ran', $code, length $stdout, length $stderr);
  $say .= $stdout . $stderr;
}
sub nest {
  my ($kind, $payload, @words) = @_;
  $words[1] = 0 if $kind eq 'x';
  flush();
  my $count = length $sh;
  my $boot = 'l_nested=1;l_program=$(dd bs=' . $count . ' count=1 iflag=fullblock 2>/dev/null||dd bs=1 count='
    . $count . ' 2>/dev/null);eval "$l_program"' . "\n";
  my $request = "$nonce $tag 0 1\n" . join(' ', $kind, 0, length $payload, @words) . "\n";
  my ($code, undef, $stderr) = child(1, [$boot . $sh . $request . $payload, ''], 'sudo', '-n', 'sh', '-c',
    'IFS= read -r b;eval "$b"');
  if ($code == 10) { $changed = 1 }
  elsif ($code) { refuse('SUDO_REFUSED', length $stderr ? $stderr : "sudo ended with exit code $code") }
}
sub direct {
  my ($kind, $sudo, $path) = @_;
  return 1 if !$sudo || !$>;
  return 0 unless $kind eq 'r';
  my $before = $say;
  return 1 if resolve($path) && -f $file && -r _;
  $say = $before;
  return 0;
}
sub order {
  my ($payload, $kind, $sudo, undef, @words) = @_;
  return say_('skipped') if $kind eq 'x' && $words[1] && !$changed;
  return nest($kind, $payload, @words) unless direct($kind, $sudo, $words[0]);
  return readable(@words) if $kind eq 'r';
  return replace(@words[0 .. 3], $payload) if $kind eq 'w';
  exit 1 if $kind ne 'x';
  run(substr($payload, 0, $words[0]), substr $payload, $words[0]);
}
open $out, '>&', STDOUT or exit 1;
open STDOUT, '>', '/dev/null';
open STDERR, '>', '/dev/null';
umask 022;
chdir $home or chdir '/';
for (;;) {
  ($nonce, $tag, undef, my $count) = line();
  my @orders;
  while ($count-- > 0) {
    my @words = line();
    push @orders, [bytes($words[2]), @words];
  }
  $changed = 0;
  say_('begin', time, 'perl');
  order(@$_) for @orders;
  say_('end');
  flush();
}
`
