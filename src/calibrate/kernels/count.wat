;; Counts floats by their leading 17 bits: sign, exponent and eight bits of mantissa. WebAssembly SIMD without its relaxed
;; part, so that every machine counts the same. After a change: npm run kernels.
(module
  ;; It begins with a table of 2^17 bins of four counters each (uint16: 8 bytes per bin, 1 MiB together), which are all zero
  ;; between the calls that count and those that drain. Each counter takes every fourth float: at a single one, that of the zeros
  ;; behind a Relu, say, each float would wait until the one before is written. They are small to fit into the nearest cache.
  (import "qdq" "memory" (memory 16))

  ;; Counts the $n floats at $from, an address that 4 divides; no more than 4 * 65535 between two drains.
  (func (export "count") (param $from i32) (param $n i32)
    (local $end i32) (local $vectors i32) (local $offsets v128) (local $two i64) (local $at i32)
    (local.set $end (i32.add (local.get $from) (i32.shl (local.get $n) (i32.const 2))))
    (local.set $vectors (i32.sub (local.get $end) (i32.shl (i32.and (local.get $n) (i32.const 3)) (i32.const 2))))
    (block $rest
      (loop $four
        (br_if $rest (i32.eq (local.get $from) (local.get $vectors)))
        ;; The bits as the byte offset of a bin: a shift by 15 down and by 3 up.
        (local.set $offsets
          (v128.and
            (i32x4.shr_u (v128.load align=4 (local.get $from)) (i32.const 12))
            (v128.const i32x4 0xffff8 0xffff8 0xffff8 0xffff8)))
        ;; Lanes leave the vector in pairs: half as many moves between the register files.
        (local.set $two (i64x2.extract_lane 0 (local.get $offsets)))
        (local.set $at (i32.wrap_i64 (local.get $two)))
        (i32.store16 (local.get $at) (i32.add (i32.load16_u (local.get $at)) (i32.const 1)))
        (local.set $at (i32.wrap_i64 (i64.shr_u (local.get $two) (i64.const 32))))
        (i32.store16 offset=2 (local.get $at) (i32.add (i32.load16_u offset=2 (local.get $at)) (i32.const 1)))
        (local.set $two (i64x2.extract_lane 1 (local.get $offsets)))
        (local.set $at (i32.wrap_i64 (local.get $two)))
        (i32.store16 offset=4 (local.get $at) (i32.add (i32.load16_u offset=4 (local.get $at)) (i32.const 1)))
        (local.set $at (i32.wrap_i64 (i64.shr_u (local.get $two) (i64.const 32))))
        (i32.store16 offset=6 (local.get $at) (i32.add (i32.load16_u offset=6 (local.get $at)) (i32.const 1)))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (br $four)))
    ;; The last three or fewer, at the last counters of their bins: the vectors leave room there, whatever their number.
    (block $done
      (loop $one
        (br_if $done (i32.eq (local.get $from) (local.get $end)))
        (local.set $at (i32.and (i32.shr_u (i32.load (local.get $from)) (i32.const 12)) (i32.const 0xffff8)))
        (local.set $at (i32.add (local.get $at) (i32.and (i32.shr_u (i32.sub (local.get $end) (local.get $from)) (i32.const 1)) (i32.const 6))))
        (i32.store16 (local.get $at) (i32.add (i32.load16_u (local.get $at)) (i32.const 1)))
        (local.set $from (i32.add (local.get $from) (i32.const 4)))
        (br $one))))

  ;; Adds the counters of one page (256 bins of one sign and exponent, 2 KiB) to the 256 float64 numbers at $to, clears them,
  ;; and returns their sum.
  (func (export "drain") (param $page i32) (param $to i32) (result i32)
    (local $at i32) (local $end i32) (local $low v128) (local $high v128) (local $counts v128) (local $sum v128)
    (local.set $at (i32.shl (local.get $page) (i32.const 11)))
    (local.set $end (i32.add (local.get $at) (i32.const 2048)))
    (loop $four
      (local.set $low (v128.load (local.get $at)))
      (local.set $high (v128.load offset=16 (local.get $at)))
      ;; Two counters of each bin, and then the other two.
      (local.set $low (i32x4.extadd_pairwise_i16x8_u (local.get $low)))
      (local.set $high (i32x4.extadd_pairwise_i16x8_u (local.get $high)))
      (local.set $counts
        (i32x4.add
          (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $low) (local.get $high))
          (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $low) (local.get $high))))
      (local.set $sum (i32x4.add (local.get $sum) (local.get $counts)))
      (v128.store (local.get $at) (v128.const i32x4 0 0 0 0))
      (v128.store offset=16 (local.get $at) (v128.const i32x4 0 0 0 0))
      (v128.store (local.get $to)
        (f64x2.add (v128.load (local.get $to)) (f64x2.convert_low_i32x4_u (local.get $counts))))
      (v128.store offset=16 (local.get $to)
        (f64x2.add
          (v128.load offset=16 (local.get $to))
          (f64x2.convert_low_i32x4_u
            (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $counts) (local.get $counts)))))
      (local.set $to (i32.add (local.get $to) (i32.const 32)))
      (local.set $at (i32.add (local.get $at) (i32.const 32)))
      (br_if $four (i32.ne (local.get $at) (local.get $end))))
    (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $sum)) (i32x4.extract_lane 1 (local.get $sum)))
      (i32.add (i32x4.extract_lane 2 (local.get $sum)) (i32x4.extract_lane 3 (local.get $sum)))))

  ;; Of each of $lists lists of $n floats, one after the other from $from on: the smallest and the largest by their place modulo
  ;; 16, as 16 and 16 floats at $to, the next list's behind them. Infinity and -infinity where there are none, and both NaN where
  ;; one is NaN.
  (func (export "extremes") (param $from i32) (param $lists i32) (param $n i32) (param $to i32)
    (local $vectors i32) (local $end i32) (local $lane i32) (local $nan v128)
    (local $low0 v128) (local $low1 v128) (local $low2 v128) (local $low3 v128)
    (local $high0 v128) (local $high1 v128) (local $high2 v128) (local $high3 v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (block $all
      (loop $list
        (br_if $all (i32.eqz (local.get $lists)))
        (local.set $lists (i32.sub (local.get $lists) (i32.const 1)))
        (local.set $end (i32.add (local.get $from) (i32.shl (local.get $n) (i32.const 2))))
        (local.set $vectors (i32.sub (local.get $end) (i32.shl (i32.and (local.get $n) (i32.const 15)) (i32.const 2))))
        (local.set $nan (v128.const i32x4 0 0 0 0))
        (local.set $low0 (v128.const f32x4 inf inf inf inf))
        (local.set $low1 (local.get $low0))
        (local.set $low2 (local.get $low0))
        (local.set $low3 (local.get $low0))
        (local.set $high0 (v128.const f32x4 -inf -inf -inf -inf))
        (local.set $high1 (local.get $high0))
        (local.set $high2 (local.get $high0))
        (local.set $high3 (local.get $high0))
        (block $rest
          (loop $sixteen
            (br_if $rest (i32.eq (local.get $from) (local.get $vectors)))
            (local.set $a (v128.load align=4 (local.get $from)))
            (local.set $b (v128.load offset=16 align=4 (local.get $from)))
            (local.set $c (v128.load offset=32 align=4 (local.get $from)))
            (local.set $d (v128.load offset=48 align=4 (local.get $from)))
            ;; One instruction each, unlike min and max, but they pass over a NaN, which is looked for on its own.
            (local.set $low0 (f32x4.pmin (local.get $low0) (local.get $a)))
            (local.set $low1 (f32x4.pmin (local.get $low1) (local.get $b)))
            (local.set $low2 (f32x4.pmin (local.get $low2) (local.get $c)))
            (local.set $low3 (f32x4.pmin (local.get $low3) (local.get $d)))
            (local.set $high0 (f32x4.pmax (local.get $high0) (local.get $a)))
            (local.set $high1 (f32x4.pmax (local.get $high1) (local.get $b)))
            (local.set $high2 (f32x4.pmax (local.get $high2) (local.get $c)))
            (local.set $high3 (f32x4.pmax (local.get $high3) (local.get $d)))
            (local.set $nan
              (v128.or
                (v128.or (local.get $nan) (f32x4.ne (local.get $a) (local.get $a)))
                (v128.or
                  (f32x4.ne (local.get $b) (local.get $b))
                  (v128.or (f32x4.ne (local.get $c) (local.get $c)) (f32x4.ne (local.get $d) (local.get $d))))))
            (local.set $from (i32.add (local.get $from) (i32.const 64)))
            (br $sixteen)))
        ;; A mask of ones is a NaN.
        (v128.store (local.get $to) (v128.or (local.get $nan) (local.get $low0)))
        (v128.store offset=16 (local.get $to) (v128.or (local.get $nan) (local.get $low1)))
        (v128.store offset=32 (local.get $to) (v128.or (local.get $nan) (local.get $low2)))
        (v128.store offset=48 (local.get $to) (v128.or (local.get $nan) (local.get $low3)))
        (v128.store offset=64 (local.get $to) (v128.or (local.get $nan) (local.get $high0)))
        (v128.store offset=80 (local.get $to) (v128.or (local.get $nan) (local.get $high1)))
        (v128.store offset=96 (local.get $to) (v128.or (local.get $nan) (local.get $high2)))
        (v128.store offset=112 (local.get $to) (v128.or (local.get $nan) (local.get $high3)))
        ;; The last fifteen or fewer.
        (local.set $lane (local.get $to))
        (block $done
          (loop $one
            (br_if $done (i32.eq (local.get $from) (local.get $end)))
            (f32.store (local.get $lane) (f32.min (f32.load (local.get $lane)) (f32.load (local.get $from))))
            (f32.store offset=64 (local.get $lane) (f32.max (f32.load offset=64 (local.get $lane)) (f32.load (local.get $from))))
            (local.set $lane (i32.add (local.get $lane) (i32.const 4)))
            (local.set $from (i32.add (local.get $from) (i32.const 4)))
            (br $one)))
        (local.set $to (i32.add (local.get $to) (i32.const 128)))
        (br $list)))))
