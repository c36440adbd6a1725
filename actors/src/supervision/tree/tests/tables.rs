//! One scenario a line.

use super::script::{check, from_the_start};

#[test]
fn children_start_in_order_each_when_the_one_before_is_up_or_gone() {
    from_the_start("one/1[ a b c ]", "tick > begin:a | up:a > begin:b | up:b > begin:c | up:c");
    from_the_start("one/1[ a one/1[ b c ] d ]", "tick > begin:a | up:a > begin:b | up:b > begin:c | up:c > begin:d");
    from_the_start("all/0[ a b ]", "tick > begin:a | crash:a > finish:a begin:b | up:b");
    from_the_start("one/1[ a b ]", "tick > begin:a | end:a > retain:a wait | due > begin:a | up:a > begin:b");
    from_the_start("one/0[ a! b ]", "tick > begin:a | crash:a > finish:a begin:b | up:b");
}

#[test]
fn one_for_one_restarts_the_child_alone() {
    check("one/1[ a b c ]", "crash:b > retain:b wait | due > begin:b | up:b");
    check("one/1[ a b c ]", "end:b > retain:b wait | due > begin:b | up:b");
    check("one/1[ a b? c ]", "crash:b > retain:b wait | due > begin:b | up:b");
    check("one/1[ a b? c ]", "end:b > finish:b | end:b");
    check("one/1[ a b! c ]", "crash:b > finish:b");
    check("one/1[ a b! c ]", "end:b > finish:b");
    check("one/2[ a b ]", "crash:b > retain:b wait | crash:a > retain:a wait | due > begin:b begin:a");
    check("one/1[ a b? ]", "halted:a > retain:a wait | halted:b > finish:b");
}

#[test]
fn one_for_all_halts_in_reverse_and_begins_in_order() {
    let rest = "due > begin:a | up:a > begin:b | up:b > begin:c | up:c";
    check("all/1[ a b c ]", &format!("crash:b > retain:b wait halt:c | halted:c > halt:a | halted:a | {rest}"));
    check("all/1[ a b c ]", &format!("end:b > retain:b wait halt:c | halted:c > halt:a | halted:a | {rest}"));
    check("all/1[ a? b? c? ]", &format!("crash:b > retain:b wait halt:c | halted:c > halt:a | late:a | {rest}"));
    check("all/1[ a b? c ]", "end:b > finish:b | crash:a > retain:a wait halt:c | halted:c | due > begin:a");
    check("all/1[ a b! c ]", "end:b > finish:b | crash:a > retain:a wait halt:c | halted:c | due > begin:a");
    check("all/1[ a b! ]", "crash:b > finish:b");
    check("all/1[ a b! ]", "crash:a > retain:a wait finish:b | finished:b | due > begin:a | up:a");
    check("all/1[ a b ]", "crash:a > retain:a wait halt:b | due | halted:b > begin:a | up:a > begin:b");
}

#[test]
fn rest_for_one_takes_the_younger_ones_along() {
    check("rest/1[ a b c ]", "crash:b > retain:b wait halt:c | halted:c | due > begin:b | up:b > begin:c | up:c");
    check("rest/1[ a b c ]", "crash:c > retain:c wait | due > begin:c | up:c");
    check("rest/1[ a b? c! ]", "crash:a > retain:a wait finish:c | late:c > halt:b | halted:b | due > begin:a");
    check("rest/1[ a one/1[ b c ] ]", "crash:a > retain:a wait halt:c | halted:c > halt:b | halted:b | due > begin:a");
    check("rest/1[ a! b ]", "crash:a > finish:a");
    check("rest/1[ a? b ]", "end:a > finish:a");
}

#[test]
fn a_death_during_a_sweep_counts_unless_it_is_being_halted() {
    let all = "all/1[ a b c ]";
    check(all, "crash:c > retain:c wait halt:b | crash:a > retain:a | halted:b | due > begin:a");
    check(all, "crash:c > retain:c wait halt:b | crash:b > retain:b halt:a | halted:a | due > begin:a");
    check("all/1[ a? b c ]", "crash:c > retain:c wait halt:b | end:a > finish:a | halted:b | due > begin:b");
    check(all, "crash:c > retain:c wait halt:b | halted:b > halt:a | halted:a | crash:a | late:a | up:a");
    check(
        "one/1[ a b ]",
        "crash:a > retain:a wait | due > begin:a | crash:a > finish:b | finished:b > finish:a gave-up:0",
    );
    let again = "crash:a > retain:a wait halt:b | halted:b | due > begin:a | up:a > begin:b";
    check("all/2[ a b ]", &format!("{again} | crash:a > retain:a wait halt:b | halted:b | due > begin:a"));
    check("rest/2[ a b ]", &format!("{again} | crash:b > retain:b wait | due > begin:b | up:b"));
    check("all/2[ a b ]", &format!("{again} | crash:a > retain:a wait halt:b | up:b | late:b | due > begin:a"));
    let outer = "crash:d > retain:d wait halt:c | halted:c > halt:b | halted:b | due > begin:b | up:b > begin:c";
    check(
        "all/2[ one/1[ b c ] d ]",
        &format!("{outer} | crash:b > retain:b wait | up:c | due > begin:b | up:b > begin:d"),
    );
    let both =
        "crash:c > retain:c wait halt:b | crash:a > retain:a wait | halted:b > halt:d | halted:d | due > begin:a";
    check("rest/1[ a all/1[ b c ] d ]", both);
}

#[test]
fn intensity_is_counted_within_its_period() {
    let once = "crash:a > retain:a wait | due > begin:a | up:a";
    check("one/1[ a ]", &format!("{once} | tick | tick | tick | tick | tick | {once}"));
    check("one/1[ a ]", &format!("{once} | tick | tick | tick | tick | crash:a > finish:a gave-up:0"));
}

#[test]
fn a_group_that_gives_up_is_a_crashed_child() {
    check("one/1[ a one/0[ b c ] ]", "crash:b > retain:b wait halt:c | halted:c | due > begin:b | up:b > begin:c");
    check("one/1[ a one/0?[ b c ] ]", "crash:c > retain:c wait halt:b | halted:b | due > begin:b | up:b > begin:c");
    check(
        "one/1[ a one/0![ b c ] ]",
        "crash:b > finish:c | finished:c > finish:b | add:1:x > refused | crash:a > retain:a wait",
    );
    check("all/1[ a one/0[ b ] c ]", "crash:b > retain:b wait halt:c | late:c > halt:a | halted:a | due > begin:a");
    check("rest/1[ a one/0[ b c! ] ]", "crash:b > retain:b wait finish:c | finished:c | due > begin:b | up:b");
    check(
        "one/1[ one/0[ one/0[ a ] b ] c ]",
        "crash:a > retain:a wait halt:b | halted:b | due > begin:a | up:a > begin:b",
    );
    check(
        "one/0[ one/0[ one/0[ a ] b ] c ]",
        "crash:a > finish:c | finished:c > finish:b | late:b > finish:a gave-up:0",
    );
    check("one/1[ one/0![ one/0[ a ] b ] c ]", "crash:a > finish:b | finished:b > finish:a | crash:c > retain:c wait");
    check(
        "all/1[ a one/0![ b ] c ]",
        "crash:c > retain:c wait finish:b | finished:b > halt:a | halted:a | due > begin:a | up:a > begin:c",
    );
}

#[test]
fn a_restarted_group_has_a_fresh_history() {
    let inner = "crash:b > retain:b wait | due > begin:b | up:b";
    let outer = "crash:b > retain:b wait halt:c | halted:c | due > begin:b | up:b > begin:c | up:c";
    check("one/1[ one/1[ b c ] ]", &format!("{inner} | {outer} | {inner} | crash:b > finish:c"));
}

#[test]
fn stop_finishes_all_in_reverse_at_any_time() {
    check("one/1[ a one/1[ b c ] ]", "stop > drain:c | finished:c > drain:b | late:b > drain:a | finished:a | stop");
    check("all/1[ a b ]", "stop > drain:b | crash:a | finished:b > finish:a | finished:a | crash:b");
    check("all/1[ a b ]", "stop > drain:b | crash:b > finish:b drain:a | crash:b | end:a > finish:a");
    check("all/1[ a b ]", "crash:b > retain:b wait halt:a | stop | halted:a > finish:b finish:a | due");
    check("all/1[ a b ]", "crash:b > retain:b wait halt:a | halted:a | stop > finish:b finish:a | due");
    check(
        "rest/1[ a b ]",
        "crash:b > retain:b wait | due > begin:b | stop > drain:b | up:b | crash:b > finish:b drain:a",
    );
    check("one/1[ a ]", "stop > drain:a | add:0:x > refused | finished:a | add:0:x > refused");
    check("one/0[ a b ]", "remove:a > drain:a | crash:b > finish:a | crash:a > finish:b gave-up:0");
    check("one/0[ a b ]", "crash:a > finish:b | stop | finished:b > finish:a gave-up:0 | stop");
}

#[test]
fn a_death_concerns_nobody_else_while_everything_winds_down() {
    check("all/1[ a b c ]", "wind-down | crash:b > retain:b wait | due > begin:b | up:b | crash:a > finish:a");
    check("one/0[ a rest/1[ b c ] ]", "wind-down | crash:b > retain:b wait | crash:c > finish:c | due > begin:b");
    check("all/1[ a? b! ]", "wind-down | crash:b > finish:b | end:a > finish:a");
    let before = "crash:c > retain:c wait halt:b | wind-down | halted:b > halt:a | crash:a > retain:a";
    check("all/1[ a b c ]", &format!("{before} | due > begin:a | up:a > begin:b | crash:b > finish:b begin:c"));
}

#[test]
fn an_added_child_starts_after_its_elders() {
    check("one/1[ a ]", "add:0:x > begin:x | up:x");
    check("one/1[ a ]", "crash:a > retain:a wait | add:0:x | due > begin:a | up:a > begin:x");
    check(
        "one/0[ a ]",
        "add:0:x > begin:x | crash:x > finish:x | add:0:y > begin:y | up:y | crash:y > finish:y finish:a",
    );
    check("all/1[ a ]", "add:0:x > begin:x | crash:a > retain:a wait halt:x | crash:x > finish:x | due > begin:a");
    check("one/1[ a one/1[ b ] ]", "crash:a > retain:a wait | add:1:x > begin:x");
    check("one/1[ a one/1[ ] ]", "crash:a > retain:a wait | add:1:x | due > begin:a | up:a > begin:x");
    check(
        "all/1[ a b ]",
        "crash:b > retain:b wait halt:a | add:0:x! | halted:a | due > begin:a | up:a > begin:b | up:b > begin:x",
    );
    check(
        "all/1[ a b ]",
        "crash:b > retain:b wait halt:a | halted:a | due > begin:a | add:0:x | up:a > begin:b | up:b > begin:x",
    );
    check(
        "rest/1[ a ]",
        "add:0:x > begin:x | crash:a > retain:a wait halt:x | halted:x | due > begin:a | up:a > begin:x",
    );
}

#[test]
fn a_removed_node_is_finished_and_the_others_do_not_mind() {
    check("all/1[ a one/1[ b c ] d ]", "remove:1 > drain:c | finished:c > drain:b | finished:b | add:1:x > refused");
    check("all/1[ a b ]", "crash:b > retain:b wait halt:a | remove:b | halted:a > finish:b | due > begin:a");
    check(
        "all/1[ a b c ]",
        "crash:c > retain:c wait halt:b | remove:a | halted:b > drain:a | finished:a | due > begin:b",
    );
    check("one/1[ a b ]", "crash:b > retain:b wait | remove:b > finish:b | due | add:0:x > begin:x");
    check("one/1[ a b ]", "finished:a | crash:a | crash:b > retain:b wait");
}
