import pytest

from strongroom.resources.locations import REGIONS, Location, Locations


def test_the_servers_own_location_stands_first():
    locations = Locations("My Cellar")
    assert locations.all[0] == Location("mycellar", "My Cellar")
    assert len(locations.all) == len(REGIONS) + 1


def test_a_public_region_as_the_own_one_stands_once():
    locations = Locations("West Europe")
    assert locations.all[0] == Location("westeurope", "West Europe")
    assert len(locations.all) == len(REGIONS)
    assert locations.listed().startswith("westeurope,")


@pytest.mark.parametrize(
    ("text", "found"),
    [("local", "local"), ("West Europe", "westeurope"), ("EASTUS2", "eastus2"), ("atlantis", None), ("", None)],
)
def test_names_compare_without_case_and_spaces(text, found):
    assert Locations("local").find(text) == found


def test_every_region_has_both_names():
    assert all(region.name == "".join(region.display_name.lower().split()) or region.display_name for region in REGIONS)
    assert len({region.name for region in REGIONS}) == len(REGIONS)
    assert Location("germanywestcentral", "Germany West Central") in REGIONS
