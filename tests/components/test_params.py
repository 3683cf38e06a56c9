"""Parameters: what overrides what, and what a wrong one is told."""

from pathlib import Path

import pytest
import yaml

from components.errors import ParamsError
from components.params import bundle_weights, describe, for_model, load_params, profiles, sources_of, version_of
from components.project import project_file


def test_a_profile_then_data_then_set_override_the_file() -> None:
    resolved = load_params(profile="demo", data=["a", "b"], assignments=["train_unet.epochs=3", "train_unet.learning_rate=1e-4"])
    params = resolved.params
    assert params.ingest.sources == ["a", "b"]
    assert params.train_unet.epochs == 3
    assert params.train_unet.learning_rate == 0.0001
    assert params.preprocess.classification_size == (96, 96)
    assert resolved.sources["train_unet.epochs"] == "--set"
    assert resolved.sources["ingest.sources"] == "--data"
    assert resolved.sources["preprocess.hair_kernel"] == "profile demo"


@pytest.mark.parametrize("profile", profiles())
def test_every_profile_holds(profile: str) -> None:
    assert load_params(profile=profile).params.train_classifier.models


def test_the_reports_recipe_takes_nothing_that_decides_its_result_from_params_yaml() -> None:
    # What is left out is an accident (seeds, files, what stops a run), or nothing that this recipe uses.
    unused = {
        "seed",
        "shard_rows",
        "max_quarantined",
        "audit_fail_on",
        "folds",
        "crop_margin",
        "warmup",
        "focal_gamma",
        "mix_alpha",
    }
    pinned = yaml.safe_load(project_file("profiles/report.yaml").read_text())
    for section in ("validate", "preprocess", "augment_balance", "train_unet", "train_classifier"):
        known = yaml.safe_load(project_file("params.yaml").read_text())[section]
        assert known.keys() - pinned[section].keys() <= unused, section
    params = load_params(profile="report").params
    assert (params.validate_.split, params.validate_.test_share, params.validate_.val_share) == ("official", 0.15, 0.15)


def test_logit_adjustment_of_one_architecture_is_refused_beside_class_weights_too() -> None:
    with pytest.raises(ParamsError, match="logit_adjustment is on for resnet101"):
        load_params(profile="report", assignments=["train_classifier.overrides={resnet101: {logit_adjustment: 1}}"])


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("train_unet.learning_rat=1", ["train_unet.learning_rat", "did you mean train_unet.learning_rate"]),
        ("train_unet.epochs=0", ["train_unet.epochs is 0", "greater than or equal to 1"]),
        ("train_unet.epochs=many", ["train_unet.epochs is 'many'", "integer"]),
        ("train_unet.clip_norm=.inf", ["train_unet.clip_norm is inf", "finite number"]),
        ("augment_balance.class_weights=true", ["logit_adjustment is on for resnet50", "augment_balance.class_weights"]),
        ("validate.split=random", ["validate.split is 'random'", "'hash' or 'official'"]),
        ("preprocess.classification_size=[1,64]", ["preprocess.classification_size.0 is 1", "16"]),
        ("train_unet", ["'train_unet' is no assignment", "section.key=value"]),
        ("nosuch.thing=1", ["nosuch", "dermacare params"]),
        ("validate.test_share=0.9", ["test_share + val_share must stay below 1"]),
        ("train_classifier.overrides={resnet50: {epoch: 1}}", ["train_classifier.overrides.resnet50", "epoch"]),
        ("train_classifier.folds=3", ["train_classifier.folds is 3 for resnet50", "validate.folds cuts the data into 5"]),
        ("train_unet.overrides={unet_plain: {folds: 4}}", ["train_unet.folds is 4 for unet_plain"]),
        ("train_unet.fold=0", ["fold is 0, but folds is 1"]),
        ("train_classifier.epochs=[", ["train_classifier.epochs", "not valid YAML"]),
    ],
)
def test_a_wrong_parameter_names_key_value_and_way_out(assignment: str, told: list[str]) -> None:
    with pytest.raises(ParamsError) as error:
        load_params(profile="demo", assignments=[assignment])
    assert all(part in str(error.value) for part in told), str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("profile", "assignments", "told"),
    [
        (
            "best",
            ["train_classifier.epochs=8"],
            "profile best, --set: train_classifier: progressive takes all the epochs; leave ",
        ),
        (None, ["train_unet.fold=0"], "--set: train_unet: fold is 0, but folds is 1; "),
        ("best", ["validate.folds=4"], "profile best, --set: train_classifier.folds is 5 for efficientnet_lite0, but "),
        (None, ["cluster.steps.train.cpu=2"], "--set: cluster.steps.train is no step; "),
    ],
)
def test_a_broken_rule_of_several_parameters_names_who_set_them_and_prints_no_section(
    profile: str | None, assignments: list[str], told: str
) -> None:
    with pytest.raises(ParamsError) as error:
        load_params(profile=profile, assignments=assignments)
    assert str(error.value).startswith(told), str(error.value)
    assert "{" not in str(error.value)


def test_a_broken_rule_of_a_file_names_the_file(tmp_path: Path) -> None:
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["train_unet"]["fold"] = 0
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(ParamsError, match=r"own\.yaml: train_unet: fold is 0, but folds is 1"):
        load_params(file)


def test_what_overrode_a_parameter_is_not_said_of_one_whose_name_begins_alike() -> None:
    below = "train_classifier.overrides.resnet50.epochs=9"
    origin = load_params(profile="demo", assignments=["train_classifier.mix=none", below]).sources
    assert sources_of("train_classifier.mix", origin) == ["--set"]
    assert sources_of("train_classifier.mix_alpha", origin) == []
    assert sources_of("train_classifier.overrides", origin) == ["profile demo", "--set"]


def test_a_wrong_profile_names_the_nearest() -> None:
    with pytest.raises(ParamsError, match="did you mean demo"):
        load_params(profile="dmeo")


def test_a_missing_parameter_is_named(tmp_path: Path) -> None:
    values = yaml.safe_load(Path("params.yaml").read_text())
    del values["validate"]["folds"]
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(ParamsError, match=r"validate\.folds is missing"):
        load_params(file)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "\xff"])
def test_a_file_that_is_no_mapping_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ParamsError, match=r"params\.yaml"):
        load_params(file)


def test_one_model_s_parameters_do_not_know_of_the_others() -> None:
    section = load_params(
        profile="demo", assignments=["train_classifier.overrides={resnet50: {input_size: [80, 96]}, resnet101: {epochs: 9}}"]
    ).params.train_classifier
    one = for_model(section, "resnet50")
    assert one.models == ["resnet50"]
    assert one.input_size == (80, 96)
    assert one.overrides == {}
    assert one == for_model(section.model_copy(update={"models": ["resnet50", "tiny_cnn"]}), "resnet50")


def test_what_is_set_below_overrides_changes_nothing_else_and_what_is_set_at_them_replaces_all() -> None:
    below = ["train_classifier.overrides.resnet50.epochs=9", "train_classifier.overrides.efficientnet_lite0.seed=7"]
    lite = {"weights": "imagenet", "epochs": 8, "input_size": [96, 96], "seed": 7}
    section = load_params(profile="demo", assignments=below).params.train_classifier
    assert section.overrides == {"efficientnet_lite0": lite, "resnet50": {"epochs": 9}}
    at = "train_classifier.overrides={resnet50: {epochs: 9}}"
    assert load_params(profile="demo", assignments=[at]).params.train_classifier.overrides == {"resnet50": {"epochs": 9}}


def test_every_parameter_is_described() -> None:
    assert all(kind and (meaning or key.endswith("seed")) for key, (kind, _, meaning) in describe().items())


FILE, DIGEST = "/data/a.weights.h5", "a" * 64


@pytest.mark.parametrize(
    ("weights", "identity", "parent"),
    [
        ("imagenet", "imagenet", None),
        ("none", "none", None),
        (f"{FILE}#sha256={DIGEST}", f"file#sha256={DIGEST}", None),
        (bundle_weights("lesion-classifier/7", DIGEST), f"bundle#sha256={DIGEST}", DIGEST),
        (f"bundle#sha256={DIGEST}", f"bundle#sha256={DIGEST}", DIGEST),
    ],
)
def test_of_weights_the_digest_counts_and_not_where_they_lie(weights: str, identity: str, parent: str | None) -> None:
    section = load_params(assignments=[f"train_classifier.weights={weights}"]).params.train_classifier
    assert section.identity().weights == identity
    assert section.parent == section.identity().parent == parent
    assert version_of(weights) == ("lesion-classifier/7" if "/7" in weights else "")
