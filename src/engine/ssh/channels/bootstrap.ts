import { perlWorker } from './perlWorker.ts'
import { shellWorker } from './shellWorker.ts'

/**
 * What every login shell is given: it says nothing of the payload, and nothing in it can be read differently by bash,
 * fish or csh. The first line of standard input says how to go on.
 */
export const bootCommand = `sh -c 'IFS= read -r b;eval "$b"'`

/** Ends the program in perl and begins the one in shell. */
const seam = '#-seam-#'

const exactly = (sizeBytes: number): string =>
  `dd bs=${sizeBytes} count=1 iflag=fullblock 2>/dev/null||dd bs=1 count=${sizeBytes} 2>/dev/null`

const bytesOf = (firstLine: string, program: string): Uint8Array => Buffer.from(`${firstLine}\n${program}`)

/** Standard input up to the first request, for a worker in `sh`. */
export const shellBoot: Uint8Array = bytesOf(
  `l_program=$(${exactly(shellWorker.length)});eval "$l_program"`,
  shellWorker,
)

const both = `${perlWorker}${seam}${shellWorker}`

const takeShell = `l_program=$(${exactly(both.length)});l_program=\${l_program#*${seam}};eval "$l_program"`

/**
 * Links a library of perl without the module around it, which would be ten times the work; `$m` is its name. Without a
 * library where we look for it, the module is loaded.
 */
const linkLibrary =
  'sub xs{my$m=shift;(my$p=$m)=~s{::}{/}g;(my$b=$m)=~s/\\W/_/g;my($l)=$m=~/(\\w+)$/;' +
  'DynaLoader::boot_DynaLoader("DynaLoader")unless defined&DynaLoader::dl_load_file;' +
  'for(@INC){my$f="$_/auto/$p/$l.so";next unless-f$f;my$h=DynaLoader::dl_load_file($f,0)or last;' +
  'my$s=DynaLoader::dl_find_symbol($h,"boot_$b")or last;' +
  '&{DynaLoader::dl_install_xsub($m."::bootstrap",$s,$f)}($m);return 1}' +
  'eval"require $m;1"}'

const perlBoot =
  `${linkLibrary}for(qw(Fcntl IO Digest::SHA)){eval{xs($_)}or eval"require $_;1"or exec"/bin/sh","-c",q{${takeShell}}}` +
  `my$p="";while(length$p<${both.length}){sysread(STDIN,$p,${both.length}-length$p,length$p)or exit 1}` +
  `my$i=index$p,"${seam}";our$sh=substr$p,$i+${seam.length};eval substr$p,0,$i;exit 1`

/** The same where the worker stays: in perl if that and its SHA-256 are there, otherwise in `sh`. */
export const workerBoot: Uint8Array = bytesOf(
  `if command -v perl >/dev/null 2>&1;then exec perl -e '${perlBoot}';fi;${takeShell}`,
  both,
)
