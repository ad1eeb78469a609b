use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::*;
use crate::card::Strip;

fn number(value: u8) -> Number {
    Number::try_from(value).unwrap()
}

fn strip() -> Strip {
    Strip::generate(&mut ChaCha8Rng::seed_from_u64(1))
}

/// The numbers of the given rows, each as (ticket, row).
fn rows(strip: &Strip, rows: &[(usize, usize)]) -> Vec<Number> {
    rows.iter().flat_map(|(ticket, row)| strip.tickets()[*ticket].rows()[*row].into_iter().flatten()).collect()
}

fn winner(id: &str) -> Winner {
    Winner { id: id.into(), name: id.to_uppercase() }
}

fn running(called: &[Number]) -> Game {
    let mut game = Game::default();
    game.start(["ada".into(), "bob".into()]).unwrap();
    called.iter().for_each(|number| game.call(*number).unwrap());
    game
}

/// What a first shout of Ada with these marks comes to.
fn shout(game: &Game, strip: &Strip, marks: &[Number]) -> Result<Prize, ClaimError> {
    let marks = marks.iter().copied().collect();
    game.check(&Claim { player: &"ada".into(), strip: Some(strip), marks, since_last: None })
}

mod round {
    use super::*;

    #[test]
    fn a_round_goes_from_start_to_full_house() {
        let mut game = Game::default();
        assert_eq!((game.status(), game.round()), (Status::NotStarted, 0));
        game.start(["ada".into(), "bob".into()]).unwrap();
        assert_eq!((game.status(), game.round()), (Status::Running, 1));
        game.call(number(1)).unwrap();
        game.award(Prize::OneLine, winner("ada")).unwrap();
        assert_eq!(game.status(), Status::Running);
        assert_eq!(game.free_prizes().collect::<Vec<_>>(), [Prize::TwoLines, Prize::FullHouse]);
        game.award(Prize::FullHouse, winner("bob")).unwrap();
        assert_eq!((game.status(), game.reason()), (Status::Complete, Some(Reason::FullHouse)));
        assert_eq!(game.winner(), Some(&winner("bob")));
    }

    #[test]
    fn the_next_round_clears_the_last_one_and_keeps_the_settings() {
        let mut game = Game::default();
        let settings = Settings { interval: Duration::from_millis(50), automark: true };
        game.configure(settings).unwrap();
        game.start(["ada".into()]).unwrap();
        game.call(number(9)).unwrap();
        game.award(Prize::FullHouse, winner("ada")).unwrap();
        game.start(["bob".into()]).unwrap();
        assert_eq!((game.round(), game.called(), game.prizes().len()), (2, &[][..], 0));
        assert_eq!((game.reason(), game.settings()), (None, settings));
        assert_eq!((game.plays(&"ada".into()), game.plays(&"bob".into())), (false, true));
    }

    #[test]
    fn nothing_is_called_awarded_or_ended_while_no_round_runs() {
        let mut over = running(&[]);
        over.complete(Reason::Stopped).unwrap();
        for mut game in [Game::default(), over] {
            let before = game.clone();
            assert_eq!(game.call(number(1)), Err(MoveError::NotRunning));
            assert_eq!(game.award(Prize::OneLine, winner("ada")), Err(MoveError::NotRunning));
            assert_eq!(game.complete(Reason::Stopped), Err(MoveError::NotRunning));
            assert_eq!(game, before);
        }
    }

    #[test]
    fn a_running_round_is_neither_started_again_nor_set_up_otherwise() {
        let mut game = running(&[number(3)]);
        let before = game.clone();
        assert_eq!(game.start(["ada".into()]), Err(MoveError::Running));
        assert_eq!(game.configure(Settings::default()), Err(MoveError::Running));
        assert_eq!(game, before);
    }

    #[test]
    fn a_round_needs_players_and_each_only_once() {
        let mut game = Game::default();
        assert_eq!(game.start([]), Err(MoveError::NoPlayers));
        assert_eq!(game.start(["ada".into(), "ada".into()]), Err(MoveError::PlayerTwice("ada".into())));
        assert_eq!(game, Game::default());
    }

    #[test]
    fn no_number_is_called_twice() {
        let mut game = running(&[number(3), number(4)]);
        assert_eq!(game.call(number(3)), Err(MoveError::CalledTwice(number(3))));
        assert_eq!(game.called(), [number(3), number(4)]);
    }

    #[test]
    fn no_prize_is_awarded_twice() {
        let mut game = running(&[]);
        game.award(Prize::TwoLines, winner("ada")).unwrap();
        assert_eq!(game.award(Prize::TwoLines, winner("bob")), Err(MoveError::AwardedTwice(Prize::TwoLines)));
        assert_eq!(game.prizes()[&Prize::TwoLines], winner("ada"));
    }

    #[test]
    fn a_spectator_is_awarded_nothing() {
        let mut game = running(&[]);
        assert_eq!(game.award(Prize::OneLine, winner("eve")), Err(MoveError::Spectator("eve".into())));
        assert!(game.prizes().is_empty());
    }

    #[test]
    fn a_round_ends_for_a_reason_that_is_so() {
        let mut game = running(&Number::all().skip(1).collect::<Vec<_>>());
        assert_eq!(game.complete(Reason::AllCalled), Err(MoveError::NotSo(Reason::AllCalled)));
        assert_eq!(game.complete(Reason::FullHouse), Err(MoveError::NotSo(Reason::FullHouse)));
        game.call(number(1)).unwrap();
        game.complete(Reason::AllCalled).unwrap();
        assert_eq!((game.status(), game.reason()), (Status::Complete, Some(Reason::AllCalled)));
        assert_eq!(game.winner(), None);
    }

    #[test]
    fn the_state_survives_its_journey() {
        let mut game = running(&[number(90), number(1)]);
        game.award(Prize::OneLine, winner("ada")).unwrap();
        let wire = serde_json::to_value(&game).unwrap();
        let expected = json!({
            "settings": { "interval_ms": 5000, "automark": false },
            "status": "running",
            "round": 1,
            "players": ["ada", "bob"],
            "called": [90, 1],
            "prizes": { "one-line": { "id": "ada", "name": "ADA" } },
            "reason": null
        });
        assert_eq!(wire, expected);
        assert_eq!(serde_json::from_value::<Game>(wire).unwrap(), game);
    }

    #[test]
    fn a_state_with_a_repeated_or_impossible_call_is_refused() {
        for called in [json!([5, 6, 5]), json!([0]), json!([91])] {
            let mut wire = serde_json::to_value(running(&[])).unwrap();
            wire["called"] = called;
            assert!(serde_json::from_value::<Game>(wire).is_err());
        }
    }
}

mod claims {
    use super::*;

    #[test]
    fn a_row_wins_one_line_and_the_fifth_number_is_needed() {
        let strip = strip();
        let line = rows(&strip, &[(2, 1)]);
        let game = running(&line);
        assert_eq!(shout(&game, &strip, &line), Ok(Prize::OneLine));

        let game = running(&line[..4]);
        let missing_one = ClaimError::NothingWon { nearest: Prize::OneLine, missing: 1, uncalled: 1 };
        assert_eq!(shout(&game, &strip, &line), Err(missing_one));
    }

    #[test]
    fn two_lines_count_on_one_ticket_only() {
        let strip = strip();
        let apart = rows(&strip, &[(0, 0), (1, 0)]);
        assert_eq!(shout(&running(&apart), &strip, &apart), Ok(Prize::OneLine));
        let together = rows(&strip, &[(0, 0), (0, 2)]);
        assert_eq!(shout(&running(&together), &strip, &together), Ok(Prize::TwoLines));
    }

    #[test]
    fn a_full_house_is_all_fifteen_of_one_ticket() {
        let strip = strip();
        let house = rows(&strip, &[(5, 0), (5, 1), (5, 2)]);
        assert_eq!(shout(&running(&house), &strip, &house), Ok(Prize::FullHouse));
        let nearly = &house[..14];
        assert_eq!(shout(&running(&house), &strip, nearly), Ok(Prize::TwoLines));
        let scattered = rows(&strip, &[(0, 0), (1, 1), (2, 2)]);
        assert_eq!(shout(&running(&scattered), &strip, &scattered), Ok(Prize::OneLine));
    }

    #[test]
    fn called_numbers_that_are_not_marked_do_not_count() {
        let strip = strip();
        let game = running(&Number::all().collect::<Vec<_>>());
        let line = rows(&strip, &[(0, 0)]);
        let mut marks = rows(&strip, &[(1, 0)]);
        marks.pop();
        marks.push(line[0]);
        let nothing = ClaimError::NothingWon { nearest: Prize::OneLine, missing: 1, uncalled: 0 };
        assert_eq!(shout(&game, &strip, &marks), Err(nothing));
    }

    #[test]
    fn marks_of_uncalled_numbers_do_no_good() {
        let strip = strip();
        let all: Vec<_> = Number::all().collect();
        let game = running(&[]);
        let nothing = ClaimError::NothingWon { nearest: Prize::OneLine, missing: 5, uncalled: 90 };
        assert_eq!(shout(&game, &strip, &all), Err(nothing));
        let line = rows(&strip, &[(3, 0)]);
        assert_eq!(shout(&running(&line), &strip, &all), Ok(Prize::OneLine), "and no harm either");
    }

    #[test]
    fn the_highest_prize_that_is_free_is_won() {
        let strip = strip();
        let two = rows(&strip, &[(4, 1), (4, 2)]);
        let mut game = running(&two);
        assert_eq!(shout(&game, &strip, &two), Ok(Prize::TwoLines));
        game.award(Prize::TwoLines, winner("bob")).unwrap();
        assert_eq!(shout(&game, &strip, &two), Ok(Prize::OneLine));
        game.award(Prize::OneLine, winner("bob")).unwrap();
        assert_eq!(shout(&game, &strip, &two), Err(ClaimError::AlreadyTaken(Prize::TwoLines)));
    }

    #[test]
    fn who_has_less_than_what_is_left_hears_how_much_is_missing() {
        let strip = strip();
        let two = rows(&strip, &[(4, 1), (4, 2)]);
        let mut game = running(&two);
        game.award(Prize::OneLine, winner("bob")).unwrap();
        let nothing = ClaimError::NothingWon { nearest: Prize::TwoLines, missing: 2, uncalled: 0 };
        assert_eq!(shout(&game, &strip, &two[..4]), Err(ClaimError::NotEnoughMarks { found: 4 }));
        let eight: Vec<_> = two[..4].iter().chain(&two[5..9]).copied().collect();
        assert_eq!(shout(&game, &strip, &eight), Err(nothing));
    }

    #[test]
    fn a_shout_takes_five_marks() {
        let strip = strip();
        let line = rows(&strip, &[(0, 0)]);
        let game = running(&line);
        assert_eq!(shout(&game, &strip, &line[..4]), Err(ClaimError::NotEnoughMarks { found: 4 }));
        assert!(shout(&game, &strip, &line).is_ok());
    }

    #[test]
    fn shouts_are_five_seconds_apart() {
        let strip = strip();
        let line = rows(&strip, &[(0, 0)]);
        let game = running(&line);
        let after = |since| {
            let marks = line.iter().copied().collect();
            game.check(&Claim { player: &"ada".into(), strip: Some(&strip), marks, since_last: Some(since) })
        };
        let wait = Duration::from_millis(1);
        assert_eq!(after(Duration::from_millis(4_999)), Err(ClaimError::TooSoon { wait }));
        assert_eq!(after(Duration::ZERO), Err(ClaimError::TooSoon { wait: SHOUT_INTERVAL }));
        assert_eq!(after(SHOUT_INTERVAL), Ok(Prize::OneLine));
        assert_eq!(after(Duration::MAX), Ok(Prize::OneLine));
    }

    #[test]
    fn a_spectator_wins_nothing() {
        let strip = strip();
        let line = rows(&strip, &[(0, 0)]);
        let game = running(&line);
        let marks = line.iter().copied().collect();
        let of = |player: &PlayerId, strip| game.check(&Claim { player, strip, marks, since_last: None });
        assert_eq!(of(&"eve".into(), Some(&strip)), Err(ClaimError::NotPlaying));
        assert_eq!(of(&"ada".into(), None), Err(ClaimError::NotPlaying));
    }

    #[test]
    fn a_shout_before_or_after_the_round_wins_nothing() {
        let strip = strip();
        let line = rows(&strip, &[(0, 0)]);
        assert_eq!(shout(&Game::default(), &strip, &line), Err(ClaimError::NotRunning));
        let mut game = running(&line);
        game.complete(Reason::Stopped).unwrap();
        assert_eq!(shout(&game, &strip, &line), Err(ClaimError::NotRunning));
    }

    #[test]
    fn a_bot_knows_when_a_shout_wins() {
        let strip = strip();
        let mut game = running(&[]);
        let mut marks = Marks::default();
        let mut won = Vec::new();
        for number in Number::all() {
            game.call(number).unwrap();
            marks.automark(game.called());
            let foreseen = best_claim(&strip, marks, game.called_set(), game.free_prizes());
            let claim = Claim { player: &"ada".into(), strip: Some(&strip), marks, since_last: None };
            assert_eq!(game.check(&claim).ok(), foreseen);
            if let Some(prize) = foreseen {
                game.award(prize, winner("ada")).unwrap();
                won.push(prize);
            }
            if game.status() == Status::Complete {
                break;
            }
        }
        won.sort_unstable();
        assert_eq!(won, Prize::ALL, "who marks everything wins everything when playing alone");
    }

    #[test]
    fn refusals_say_what_to_do_and_survive_their_journey() {
        let refusals = [
            (ClaimError::NotRunning, "No round is running. Wait for the next one."),
            (ClaimError::NotPlaying, "You are watching this round. You play in the next one."),
            (
                ClaimError::NotEnoughMarks { found: 3 },
                "You have marked 3 of the 5 numbers that it takes to shout. Mark more first.",
            ),
            (
                ClaimError::TooSoon { wait: Duration::from_millis(1_001) },
                "You have just shouted. Wait 2 s before you shout again.",
            ),
            (
                ClaimError::NothingWon { nearest: Prize::TwoLines, missing: 2, uncalled: 1 },
                "Not yet: 2 more for two lines. One of your marks was not called.",
            ),
            (
                ClaimError::AlreadyTaken(Prize::OneLine),
                "Right, but one line has been won already. Go on for the next prize.",
            ),
        ];
        for (refusal, sentence) in refusals {
            assert_eq!(refusal.to_string(), sentence);
            let wire = serde_json::to_string(&refusal).unwrap();
            assert_eq!(serde_json::from_str::<ClaimError>(&wire).unwrap(), refusal);
        }
    }
}
