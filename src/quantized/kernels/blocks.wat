;; Block quantization, round to nearest or HQQ, four rows of the result at a time: the SIMD twin of quantizeBlocks and packCodes in
;; weight-only/blocks.ts, and of refineBlock in weight-only/hqq.ts. Lane i of every vector belongs to row i. Memory is laid out by the caller; all parameters are bytes,
;; counts or addresses.
(module
  (memory (export "memory") 1)

  ;; One block of four rows. src: `count` vectors, at least one. dst, scales and zeros: of the first row; those of the
  ;; others follow at the given strides. What pads the block up to `block` elements stands for 0. mode: 0 asymmetric, 1 symmetric, 2 HQQ.
  (func $block
    (param $src i32) (param $count i32) (param $block i32) (param $bits i32) (param $mode i32)
    (param $dst i32) (param $dstStride i32) (param $scales i32) (param $zeros i32) (param $parameterStride i32)
    (local $k i32) (local $at i32) (local $shift i32) (local $top v128)
    (local $v v128) (local $min v128) (local $max v128) (local $scale v128) (local $zero v128) (local $codes v128)
    (local $bias v128) (local $step f64)

    (local.set $at (local.get $src))
    (local.set $k (local.get $count))
    (loop $range
      (local.set $v (v128.load align=4 (local.get $at)))
      (local.set $min (f32x4.pmin (local.get $min) (local.get $v)))
      (local.set $max (f32x4.pmax (local.get $max) (local.get $v)))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $range (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))

    (local.set $top (i32x4.splat (i32.sub (i32.shl (i32.const 1) (local.get $bits)) (i32.const 1))))
    (if (i32.eq (local.get $mode) (i32.const 1))
      (then
        ;; The element of largest magnitude, with its sign, on the lowest code.
        (local.set $scale (call $usable (f32x4.div
          (v128.bitselect (local.get $min) (local.get $max)
            (f32x4.gt (f32x4.neg (local.get $min)) (local.get $max)))
          (f32x4.splat (f32.neg (f32.convert_i32_u
            (i32.shl (i32.const 1) (i32.sub (local.get $bits) (i32.const 1)))))))))
        (local.set $zero (i32x4.splat (i32.shl (i32.const 1) (i32.sub (local.get $bits) (i32.const 1))))))
      (else
        ;; In float64 and rounded once, as the scalar twin does.
        (local.set $step (f64.convert_i32_u (i32.sub (i32.shl (i32.const 1) (local.get $bits)) (i32.const 1))))
        (local.set $scale (call $usable (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23
          (f32x4.demote_f64x2_zero (f64x2.div
            (f64x2.sub (f64x2.promote_low_f32x4 (local.get $max)) (f64x2.promote_low_f32x4 (local.get $min)))
            (f64x2.splat (local.get $step))))
          (f32x4.demote_f64x2_zero (f64x2.div
            (f64x2.sub (f64x2.promote_low_f32x4 (call $high (local.get $max)))
                       (f64x2.promote_low_f32x4 (call $high (local.get $min))))
            (f64x2.splat (local.get $step)))))))
        (local.set $zero (call $clamp (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23
          (i32x4.trunc_sat_f64x2_s_zero (f64x2.nearest (f64x2.div
            (f64x2.promote_low_f32x4 (f32x4.neg (local.get $min)))
            (f64x2.promote_low_f32x4 (local.get $scale)))))
          (i32x4.trunc_sat_f64x2_s_zero (f64x2.nearest (f64x2.div
            (f64x2.promote_low_f32x4 (call $high (f32x4.neg (local.get $min))))
            (f64x2.promote_low_f32x4 (call $high (local.get $scale)))))))
          (local.get $top)))
        (if (i32.eq (local.get $mode) (i32.const 2))
          (then
            (call $refine (local.get $src) (local.get $count) (local.get $scale) (local.get $zero) (local.get $top))
            (local.set $zero)
            (local.set $scale)))
        (v128.store8_lane 0 (local.get $zeros) (local.get $zero))
        (v128.store8_lane 4 (i32.add (local.get $zeros) (local.get $parameterStride)) (local.get $zero))
        (v128.store8_lane 8
          (i32.add (local.get $zeros) (i32.mul (local.get $parameterStride) (i32.const 2))) (local.get $zero))
        (v128.store8_lane 12
          (i32.add (local.get $zeros) (i32.mul (local.get $parameterStride) (i32.const 3))) (local.get $zero))))
    (call $store (local.get $scales) (i32.shl (local.get $parameterStride) (i32.const 2)) (local.get $scale))

    ;; 32 bits of codes per row, the first element lowest. A quotient, which HQQ may let grow beyond the codes, is cut to 2^21: added
    ;; to 1.5 * 2^23 it is rounded, half to even, into the low bits of the sum.
    (local.set $bias (i32x4.sub (local.get $zero) (v128.const i32x4 0x4b400000 0x4b400000 0x4b400000 0x4b400000)))
    (local.set $at (local.get $src))
    (local.set $k (local.get $count))
    (loop $encode
      (local.set $codes (v128.or (local.get $codes) (i32x4.shl
        (i32x4.min_s
          (i32x4.max_s
            (i32x4.add (local.get $bias) (f32x4.add
              (f32x4.pmin
                (f32x4.pmax
                  (f32x4.div (v128.load align=4 (local.get $at)) (local.get $scale))
                  (v128.const f32x4 -0x1p21 -0x1p21 -0x1p21 -0x1p21))
                (v128.const f32x4 0x1p21 0x1p21 0x1p21 0x1p21))
              (v128.const f32x4 12582912 12582912 12582912 12582912)))
            (v128.const i32x4 0 0 0 0))
          (local.get $top))
        (local.get $shift))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (local.set $shift (i32.add (local.get $shift) (local.get $bits)))
      (if (i32.eq (local.get $shift) (i32.const 32))
        (then
          (call $store (local.get $dst) (local.get $dstStride) (local.get $codes))
          (local.set $dst (i32.add (local.get $dst) (i32.const 4)))
          (local.set $codes (v128.const i32x4 0 0 0 0))
          (local.set $shift (i32.const 0))))
      (br_if $encode (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
    (local.set $k (i32.sub (local.get $block) (local.get $count)))
    (block $full
      (loop $pad
        (br_if $full (i32.eqz (local.get $k)))
        (local.set $codes (v128.or (local.get $codes) (i32x4.shl (local.get $zero) (local.get $shift))))
        (local.set $shift (i32.add (local.get $shift) (local.get $bits)))
        (if (i32.eq (local.get $shift) (i32.const 32))
          (then
            (call $store (local.get $dst) (local.get $dstStride) (local.get $codes))
            (local.set $dst (i32.add (local.get $dst) (i32.const 4)))
            (local.set $codes (v128.const i32x4 0 0 0 0))
            (local.set $shift (i32.const 0))))
        (local.set $k (i32.sub (local.get $k) (i32.const 1)))
        (br $pad))))

  ;; HQQ: scale and zero point of four blocks, from those of round to nearest. Step by step what refineBlock does, in float32.
  (func $refine
    (param $src i32) (param $count i32) (param $scale v128) (param $codeZero v128) (param $codeTop v128)
    (result v128 v128)
    (local $k i32) (local $at i32) (local $step i32) (local $n v128) (local $zero v128) (local $top v128)
    (local $low v128) (local $high v128) (local $w v128) (local $q v128) (local $d v128) (local $e v128) (local $size v128)
    (local $norm v128) (local $sumD v128) (local $sumDD v128) (local $sumW v128) (local $sumDW v128)
    (local $least v128) (local $active v128) (local $bestScale v128) (local $bestZero v128) (local $shrink v128)
    (local $slope v128) (local $next v128) (local $delta v128) (local $again v128)

    (local.set $n (f32x4.splat (f32.convert_i32_u (local.get $count))))
    (local.set $zero (f32x4.convert_i32x4_s (local.get $codeZero)))
    (local.set $top (f32x4.convert_i32x4_s (local.get $codeTop)))
    (local.set $bestScale (local.get $scale))
    (local.set $bestZero (local.get $zero))
    (local.set $least (v128.const f32x4 inf inf inf inf))
    (local.set $active (v128.const i32x4 -1 -1 -1 -1))
    (local.set $shrink (v128.const f32x4 0.1 0.1 0.1 0.1))
    (block $done
      (loop $again
        (local.set $low (f32x4.neg (local.get $zero)))
        (local.set $high (f32x4.sub (local.get $top) (local.get $zero)))
        (local.set $norm (v128.const f32x4 0 0 0 0))
        (local.set $sumD (v128.const f32x4 0 0 0 0))
        (local.set $sumDD (v128.const f32x4 0 0 0 0))
        (local.set $sumW (v128.const f32x4 0 0 0 0))
        (local.set $sumDW (v128.const f32x4 0 0 0 0))
        (local.set $at (local.get $src))
        (local.set $k (local.get $count))
        (loop $element
          (local.set $w (v128.load align=4 (local.get $at)))
          (local.set $q (f32x4.div (local.get $w) (local.get $scale)))
          (local.set $d (f32x4.pmin (f32x4.pmax (f32x4.nearest (local.get $q)) (local.get $low)) (local.get $high)))
          ;; |error| ^ 3/4
          (local.set $size (f32x4.sqrt (f32x4.abs
            (f32x4.sub (local.get $w) (f32x4.mul (local.get $d) (local.get $scale))))))
          (local.set $norm (f32x4.add (local.get $norm)
            (f32x4.mul (local.get $size) (f32x4.sqrt (local.get $size)))))
          ;; The error in units of the scale, shrunk, taken from the weight.
          (local.set $e (f32x4.sub (local.get $q) (local.get $d)))
          (local.set $size (f32x4.abs (local.get $e)))
          (local.set $size (f32x4.pmax (v128.const f32x4 0 0 0 0) (f32x4.sub (local.get $size)
            (f32x4.div (local.get $shrink) (f32x4.sqrt (f32x4.sqrt (local.get $size)))))))
          (local.set $e (v128.or (local.get $size)
            (v128.and (local.get $e) (v128.const i32x4 0x80000000 0x80000000 0x80000000 0x80000000))))
          (local.set $w (f32x4.sub (local.get $w) (f32x4.mul (local.get $scale) (local.get $e))))
          (local.set $sumD (f32x4.add (local.get $sumD) (local.get $d)))
          (local.set $sumDD (f32x4.add (local.get $sumDD) (f32x4.mul (local.get $d) (local.get $d))))
          (local.set $sumW (f32x4.add (local.get $sumW) (local.get $w)))
          (local.set $sumDW (f32x4.add (local.get $sumDW) (f32x4.mul (local.get $d) (local.get $w))))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br_if $element (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))

        (local.set $active (v128.and (local.get $active) (f32x4.lt (local.get $norm) (local.get $least))))
        (local.set $least (v128.bitselect (local.get $norm) (local.get $least) (local.get $active)))
        (local.set $bestScale (v128.bitselect (local.get $scale) (local.get $bestScale) (local.get $active)))
        (local.set $bestZero (v128.bitselect (local.get $zero) (local.get $bestZero) (local.get $active)))
        (br_if $done (i32.eq (local.get $step) (i32.const 20)))
        (local.set $slope (f32x4.div
          (f32x4.sub (f32x4.mul (local.get $n) (local.get $sumDW)) (f32x4.mul (local.get $sumD) (local.get $sumW)))
          (f32x4.sub (f32x4.mul (local.get $n) (local.get $sumDD)) (f32x4.mul (local.get $sumD) (local.get $sumD)))))
        (local.set $next (f32x4.pmin (f32x4.pmax
          (f32x4.nearest (f32x4.add (local.get $zero) (f32x4.div
            (f32x4.sub (f32x4.mul (local.get $slope) (local.get $sumD)) (local.get $sumW))
            (f32x4.mul (local.get $n) (local.get $slope)))))
          (v128.const f32x4 0 0 0 0)) (local.get $top)))
        (local.set $delta (f32x4.sub (local.get $next) (local.get $zero)))
        (local.set $again (f32x4.div
          (f32x4.sub (local.get $sumDW) (f32x4.mul (local.get $delta) (local.get $sumW)))
          (f32x4.add
            (f32x4.sub (local.get $sumDD)
              (f32x4.mul (f32x4.add (local.get $delta) (local.get $delta)) (local.get $sumD)))
            (f32x4.mul (local.get $n) (f32x4.mul (local.get $delta) (local.get $delta))))))
        (local.set $active (v128.and
          (v128.and (local.get $active) (f32x4.gt (local.get $norm) (v128.const f32x4 0 0 0 0)))
          (v128.and
            (v128.and
              (f32x4.ge (f32x4.abs (local.get $slope)) (v128.const f32x4 0x1p-126 0x1p-126 0x1p-126 0x1p-126))
              (f32x4.ge (f32x4.abs (local.get $again)) (v128.const f32x4 0x1p-126 0x1p-126 0x1p-126 0x1p-126)))
            (v128.or
              (f32x4.ne (local.get $again) (local.get $scale))
              (f32x4.ne (local.get $next) (local.get $zero))))))
        (br_if $done (i32.eqz (v128.any_true (local.get $active))))
        (local.set $scale (v128.bitselect (local.get $again) (local.get $scale) (local.get $active)))
        (local.set $zero (v128.bitselect (local.get $next) (local.get $zero) (local.get $active)))
        (local.set $shrink (f32x4.mul (local.get $shrink)
          (v128.const f32x4 0.9900990099009901 0.9900990099009901 0.9900990099009901 0.9900990099009901)))
        (local.set $step (i32.add (local.get $step) (i32.const 1)))
        (br $again)))
    (local.get $bestScale)
    (i32x4.trunc_sat_f32x4_s (local.get $bestZero)))

  ;; One block of `rows` rows (a multiple of four) that lie side by side: the weight is [reduction, rows], rows contiguous. Sixteen
  ;; rows, a cache line, are brought together at a time. scratch: 64 bytes per element of a block.
  (func (export "columns")
    (param $src i32) (param $rows i32) (param $count i32) (param $block i32) (param $bits i32) (param $mode i32)
    (param $dst i32) (param $dstStride i32) (param $scales i32) (param $zeros i32) (param $blocks i32) (param $scratch i32)
    (local $row i32) (local $four i32) (local $last i32)
    (block $done
      (loop $line
        (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
        (local.set $last (i32.add (local.get $row) (i32.const 16)))
        (if (i32.gt_u (local.get $last) (local.get $rows)) (then (local.set $last (local.get $rows))))
        (call $gather
          (i32.add (local.get $src) (i32.shl (local.get $row) (i32.const 2)))
          (i32.shl (local.get $rows) (i32.const 2)) (local.get $count)
          (i32.sub (local.get $last) (local.get $row))
          (local.get $scratch) (i32.shl (local.get $block) (i32.const 4)))
        (local.set $four (local.get $scratch))
        (loop $next
          (call $block
            (local.get $four)
            (local.get $count) (local.get $block) (local.get $bits) (local.get $mode)
            (i32.add (local.get $dst) (i32.mul (local.get $row) (local.get $dstStride)))
            (local.get $dstStride)
            (i32.add (local.get $scales) (i32.shl (i32.mul (local.get $row) (local.get $blocks)) (i32.const 2)))
            (i32.add (local.get $zeros) (i32.mul (local.get $row) (local.get $blocks)))
            (local.get $blocks))
          (local.set $four (i32.add (local.get $four) (i32.shl (local.get $block) (i32.const 4))))
          (br_if $next (i32.lt_u
            (local.tee $row (i32.add (local.get $row) (i32.const 4))) (local.get $last))))
        (br $line))))

  ;; `count` lines of `rows` elements (4 to 16), `stride` bytes apart: each four to a place of their own, `size` bytes apart.
  (func $gather (param $from i32) (param $stride i32) (param $count i32) (param $rows i32) (param $to i32) (param $size i32)
    (local $left i32) (local $a i32) (local $b i32)
    (loop $line
      (local.set $left (local.get $rows))
      (local.set $a (local.get $from))
      (local.set $b (local.get $to))
      (loop $four
        (v128.store align=4 (local.get $b) (v128.load align=4 (local.get $a)))
        (local.set $a (i32.add (local.get $a) (i32.const 16)))
        (local.set $b (i32.add (local.get $b) (local.get $size)))
        (br_if $four (local.tee $left (i32.sub (local.get $left) (i32.const 4)))))
      (local.set $from (i32.add (local.get $from) (local.get $stride)))
      (local.set $to (i32.add (local.get $to) (i32.const 16)))
      (br_if $line (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))

  ;; All blocks of `rows` rows (a multiple of four) of `length` elements each: the weight is [rows, reduction]. scratch: 16
  ;; bytes per element of a block.
  (func (export "rows")
    (param $src i32) (param $rows i32) (param $length i32) (param $block i32) (param $bits i32) (param $mode i32)
    (param $dst i32) (param $dstStride i32) (param $scales i32) (param $zeros i32) (param $blocks i32) (param $scratch i32)
    (local $row i32) (local $index i32) (local $from i32) (local $count i32) (local $bytes i32)
    (local.set $bytes (i32.shr_u (i32.mul (local.get $block) (local.get $bits)) (i32.const 3)))
    (block $done
      (loop $four
        (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
        (local.set $index (i32.const 0))
        (block $ended
          (loop $next
            (br_if $ended (i32.ge_u (local.get $index) (local.get $blocks)))
            (local.set $from (i32.mul (local.get $index) (local.get $block)))
            (local.set $count (i32.sub (local.get $length) (local.get $from)))
            (if (i32.gt_u (local.get $count) (local.get $block)) (then (local.set $count (local.get $block))))
            (call $interleave
              (i32.add (local.get $src) (i32.shl
                (i32.add (i32.mul (local.get $row) (local.get $length)) (local.get $from)) (i32.const 2)))
              (i32.shl (local.get $length) (i32.const 2))
              (local.get $count) (local.get $scratch))
            (call $block
              (local.get $scratch)
              (local.get $count) (local.get $block) (local.get $bits) (local.get $mode)
              (i32.add (i32.add (local.get $dst) (i32.mul (local.get $row) (local.get $dstStride)))
                       (i32.mul (local.get $index) (local.get $bytes)))
              (local.get $dstStride)
              (i32.add (local.get $scales) (i32.shl
                (i32.add (i32.mul (local.get $row) (local.get $blocks)) (local.get $index)) (i32.const 2)))
              (i32.add (local.get $zeros) (i32.add (i32.mul (local.get $row) (local.get $blocks)) (local.get $index)))
              (local.get $blocks))
            (local.set $index (i32.add (local.get $index) (i32.const 1)))
            (br $next)))
        (local.set $row (i32.add (local.get $row) (i32.const 4)))
        (br $four))))

  ;; `count` elements of four rows, `stride` bytes apart, side by side into `to`.
  (func $interleave (param $from i32) (param $stride i32) (param $count i32) (param $to i32)
    (local $k i32) (local $b i32) (local $c i32) (local $d i32)
    (local.set $b (i32.add (local.get $from) (local.get $stride)))
    (local.set $c (i32.add (local.get $b) (local.get $stride)))
    (local.set $d (i32.add (local.get $c) (local.get $stride)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $k) (local.get $count)))
        (v128.store align=4 (local.get $to)
          (v128.load32_lane align=4 3 (local.get $d)
          (v128.load32_lane align=4 2 (local.get $c)
          (v128.load32_lane align=4 1 (local.get $b)
          (v128.load32_zero align=4 (local.get $from))))))
        (local.set $from (i32.add (local.get $from) (i32.const 4)))
        (local.set $b (i32.add (local.get $b) (i32.const 4)))
        (local.set $c (i32.add (local.get $c) (i32.const 4)))
        (local.set $d (i32.add (local.get $d) (i32.const 4)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (local.set $k (i32.add (local.get $k) (i32.const 1)))
        (br $next))))

  ;; Lane i to `at` + i · stride.
  (func $store (param $at i32) (param $stride i32) (param $v v128)
    (v128.store32_lane align=4 0 (local.get $at) (local.get $v))
    (local.set $at (i32.add (local.get $at) (local.get $stride)))
    (v128.store32_lane align=4 1 (local.get $at) (local.get $v))
    (local.set $at (i32.add (local.get $at) (local.get $stride)))
    (v128.store32_lane align=4 2 (local.get $at) (local.get $v))
    (local.set $at (i32.add (local.get $at) (local.get $stride)))
    (v128.store32_lane align=4 3 (local.get $at) (local.get $v)))

  (func $clamp (param $v v128) (param $top v128) (result v128)
    (i32x4.min_s (i32x4.max_s (local.get $v) (v128.const i32x4 0 0 0 0)) (local.get $top)))

  ;; A scale below float32's normal numbers becomes 1.
  (func $usable (param $scale v128) (result v128)
    (v128.bitselect (v128.const f32x4 1 1 1 1) (local.get $scale)
      (f32x4.lt (f32x4.abs (local.get $scale)) (v128.const f32x4 0x1p-126 0x1p-126 0x1p-126 0x1p-126))))

  ;; The upper two lanes, in the place of the lower.
  (func $high (param $v v128) (result v128)
    (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $v) (local.get $v)))
)
